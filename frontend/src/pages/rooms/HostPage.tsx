/** The presenter's page: how it goes, over time and now. */

import { useEffect, useMemo, useState } from "preact/hooks";
import type { Room } from "../../api/rooms";
import type { PageProps } from "../../app/pages";
import { announce } from "../../ui/announce";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { Icon } from "../../ui/Icon";
import { ConnectionNotice } from "./ConnectionNotice";
import { CourseCard } from "./CourseCard";
import { HandsCard } from "./HandsCard";
import { forgetKey, Host, takeKey } from "./host";
import { JoinCard } from "./JoinCard";
import { NowCard } from "./NowCard";
import { describeKind } from "./options";
import { RoomIcon } from "./RoomIcon";
import { type Bin, findState } from "./rows";
import { SessionCard } from "./SessionCard";
import { useNow } from "./useNow";
import { usePresenting } from "./usePresenting";
import { describeState } from "./wording";
import "./rooms.css";
import "./host.css";

export default function HostPage({ params }: PageProps) {
  const id = params.id ?? "";
  const key = useKey(id);
  const [attempt, setAttempt] = useState(0);
  const [host, setHost] = useState<Host | null>(null);

  useEffect(() => {
    if (key === null) return;
    const created = new Host({ id, key });
    setHost(created);
    return () => created.close();
  }, [id, key, attempt]);

  if (key === null) {
    return (
      <Outside title="This address has no key">
        <ErrorNotice
          error={{
            message: "The host's key is missing",
            advice: "Open the host's link as it was given when the room was made; the key stands behind #.",
          }}
        />
      </Outside>
    );
  }
  const error = host?.error.value;
  if (error) {
    const isTemporary = error.code === "web.too_many" || error.code === "room.full";
    return (
      <Outside title="This room cannot be shown">
        <ErrorNotice error={error} onRetry={isTemporary ? () => setAttempt(attempt + 1) : undefined} />
      </Outside>
    );
  }
  if (host?.isDeleted.value) return <Deleted id={id} />;
  if (!host?.room.value) {
    return (
      <section class="page page-narrow">
        <h1 class="visually-hidden">Room</h1>
        {host && (
          <ConnectionNotice
            connection={host.connection}
            trouble={host.trouble}
            consequence="The room is shown as soon as the server answers."
            onHurry={() => host.hurry()}
          />
        )}
        <div class="page-loading" aria-busy="true" />
      </section>
    );
  }
  return <OpenRoom host={host} room={host.room.value} />;
}

/** The host's key, also of a link that is opened in the tab of its own page: then only what is behind # changes. */
function useKey(id: string): string | null {
  const [arrivals, setArrivals] = useState(0);
  useEffect(() => {
    const arrive = (): void => setArrivals((count) => count + 1);
    window.addEventListener("hashchange", arrive);
    return () => window.removeEventListener("hashchange", arrive);
  }, []);
  return useMemo(() => takeKey(id), [id, arrivals]);
}

function Deleted({ id }: { id: string }) {
  useEffect(() => {
    forgetKey(id);
    announce("The room is deleted");
  }, [id]);
  return (
    <Outside title="The room is deleted">
      <p>Nothing of it is left on the server: no sums, no marks, no names.</p>
    </Outside>
  );
}

function Outside({ title, children }: { title: string; children: preact.ComponentChildren }) {
  return (
    <section class="page page-narrow">
      <h1>{title}</h1>
      {children}
      <p>
        <a class="button button-primary" href="/rooms">
          Make a room
        </a>
      </p>
    </section>
  );
}

function OpenRoom({ host, room }: { host: Host; room: Room }) {
  const [pointed, setPointed] = useState<Bin | null>(null);
  const [section, isPresenting, present] = usePresenting();
  useNow(1000, !room.ended); // words about time stay true
  const nowS = host.nowS;
  const rows = host.rows.value;
  const people = host.present.value;
  const state = findState(rows, { count: people, sinceS: host.hereSinceS }, nowS, room);

  useEffect(() => {
    if (room.ended) announce("The room has ended");
    else if (state.kind === "shown") announce("Sums are shown");
    else announce(describeState(state, host.nowS).title);
  }, [state.kind, room.ended]);

  return (
    <section ref={section} class="page host" data-presenting={isPresenting} aria-labelledby="host-title">
      <header class="page-head">
        <div class="page-heading">
          <h1 id="host-title">{room.title || `${describeKind(room)} room`}</h1>
          <p class="soft host-facts">
            <span>{room.ended ? "Ended" : describeKind(room)}</span>
            {!room.ended && (
              <span class="numbers">
                <Icon name="people" /> {people} here
              </span>
            )}
          </p>
        </div>
        <div class="button-row">
          {isPresenting ? (
            <button type="button" class="button" onClick={() => present(false)}>
              <Icon name="close" /> Close
            </button>
          ) : (
            <button type="button" class="button" onClick={() => present(true)}>
              <RoomIcon name="expand" /> Present
            </button>
          )}
        </div>
      </header>
      <ConnectionNotice
        connection={host.connection}
        trouble={host.trouble}
        consequence="What is shown is what was last heard; participants are still counted."
        onHurry={() => host.hurry()}
      />
      {room.ended && (
        <div class="notice">
          <Icon name="info" />
          <div class="notice-text">
            <p class="notice-title">The room has ended.</p>
            <p>
              Nobody can answer any more. Everything is deleted by{" "}
              {new Date(1000 * room.expires_at).toLocaleString([], {
                dateStyle: "medium",
                timeStyle: "short",
              })}
              ; save what you need.
            </p>
          </div>
        </div>
      )}
      <div class="host-grid">
        <div class="host-main">
          {!room.ended && <NowCard room={room} state={state} nowS={nowS} pointed={pointed} />}
          <CourseCard host={host} room={room} nowS={nowS} isPresenting={isPresenting} onPoint={setPointed} />
        </div>
        <div class="host-side">
          <JoinCard room={room} pass={host.pass} />
          {!room.ended && <HandsCard host={host} isPresenting={isPresenting} />}
          <SessionCard host={host} room={room} isPresenting={isPresenting} />
        </div>
      </div>
    </section>
  );
}
