/** A room that was just made: its secret, which is shown once, and how others get in. */

import { useLayoutEffect, useRef } from "preact/hooks";
import type { CreatedRoom } from "../../api/rooms";
import { Icon } from "../../ui/Icon";
import { CopyButton } from "./CopyButton";
import { HostLink } from "./HostLink";
import { JoinCard } from "./JoinCard";

export function CreatedCard({ created }: { created: CreatedRoom }) {
  const title = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => title.current?.focus(), []);
  const link = `${location.origin}${created.host_path}`;
  return (
    <div class="created">
      <section class="card room-card" aria-labelledby="created-title">
        <h2 id="created-title" ref={title} tabIndex={-1}>
          {created.room.title ? `“${created.room.title}” is open` : "The room is open"}
        </h2>
        <div class="notice notice-caution">
          <Icon name="alert" />
          <div class="notice-text">
            <p class="notice-title">This is your host link. It is shown once.</p>
            <p>
              Whoever has it hosts the room. The server keeps only a fingerprint of it, so nobody can give it
              to you again.
            </p>
          </div>
        </div>
        <HostLink link={link} />
        <div class="button-row">
          <a class="button button-primary" href={created.host_path}>
            Open the host's page
          </a>
          <CopyButton text={link} label="Copy the host link" />
        </div>
      </section>
      <JoinCard room={created.room} pass={{ id: created.room.id, key: created.key }} />
    </div>
  );
}
