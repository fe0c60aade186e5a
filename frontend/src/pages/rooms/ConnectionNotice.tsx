/** Says that the connection is lost and when it is tried again. */

import type { Signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { announce } from "../../ui/announce";
import { Icon } from "../../ui/Icon";
import type { Connection } from "./socket";
import { useNow } from "./useNow";

/** Shorter losses are nobody's business. */
const UNNOTICED_MS = 1500;

export function ConnectionNotice({
  connection,
  trouble,
  consequence,
  onHurry,
}: {
  connection: Signal<Connection>;
  trouble: Signal<string | null>;
  /** What the loss means to whoever reads this. */
  consequence: string;
  onHurry: () => void;
}) {
  const { status } = connection.value;
  const isAway = status === "lost" || status === "connecting";
  const [isTold, setTold] = useState(false);
  useEffect(() => {
    if (!isAway) {
      if (isTold) announce("The connection is back");
      setTold(false);
      return;
    }
    const timer = setTimeout(() => {
      setTold(true);
      announce("The connection is lost. This page tries again by itself.");
    }, UNNOTICED_MS);
    return () => clearTimeout(timer);
  }, [isAway]);
  const now = useNow(500, isTold);
  const said = trouble.value === null ? null : `The server is in trouble: ${trouble.value}.`;
  useEffect(() => {
    if (said !== null) announce(said);
  }, [said]);

  if (isTold && isAway) {
    const current = connection.value;
    const leftS = current.status === "lost" ? Math.max(0, Math.ceil((current.retryAt - now) / 1000)) : 0;
    return (
      <div class="notice notice-caution room-notice">
        <Icon name="alert" />
        <div class="notice-text">
          <p class="notice-title">The connection is lost.</p>
          <p>{consequence}</p>
          <div class="button-row">
            <button type="button" class="button button-small" onClick={onHurry}>
              <Icon name="retry" /> Try now
            </button>
            <span class="soft numbers">{leftS > 0 ? `Next try in ${leftS} s` : "Trying …"}</span>
          </div>
        </div>
      </div>
    );
  }
  if (said !== null) {
    return (
      <div class="notice notice-caution room-notice">
        <Icon name="alert" />
        <div class="notice-text">
          <p class="notice-title">{said}</p>
          <p>The page goes on as soon as it is over.</p>
        </div>
      </div>
    );
  }
  return null;
}
