/** Who wants attention, and since when; before an audience, how many do. */

import { useEffect, useRef } from "preact/hooks";
import { announce } from "../../ui/announce";
import { formatCount } from "../../ui/format";
import type { Host } from "./host";
import { RoomIcon } from "./RoomIcon";

export function HandsCard({ host, isPresenting }: { host: Host; isPresenting: boolean }) {
  const hands = host.hands.value;
  const known = useRef(new Set<string>());
  const card = useRef<HTMLElement>(null);

  useEffect(() => {
    const raised = hands.filter((hand) => !known.current.has(hand.id)).map((hand) => hand.name);
    known.current = new Set(hands.map((hand) => hand.id));
    if (raised.length > 3 || (isPresenting && raised.length > 0))
      announce(`${formatCount(raised.length, "hand")} raised`);
    else if (raised.length > 0) announce(`${raised.join(", ")}: hand raised`);
  }, [hands]);

  return (
    <section ref={card} tabIndex={-1} class="card room-card hands-card" aria-labelledby="hands-title">
      <h2 id="hands-title">
        Hands {hands.length > 0 && <span class="hands-count numbers">{hands.length}</span>}
      </h2>
      {hands.length === 0 ? (
        <p class="soft">Nobody has raised a hand.</p>
      ) : isPresenting ? (
        <p class="soft">Whose they are is shown to you alone, when you close this view.</p>
      ) : (
        <ul class="hand-list">
          {hands.map((hand) => (
            <li key={hand.id}>
              <RoomIcon name="hand" />
              <span class="hand-name">{hand.name}</span>
              <span class="soft numbers">{describeAge(host.nowS - hand.at_s)}</span>
              <button
                type="button"
                class="button button-small"
                aria-label={`Lower ${hand.name}'s hand`}
                onClick={() => {
                  host.lower(hand);
                  card.current?.focus(); // the button is gone; the keyboard stays here
                }}
              >
                Lower
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function describeAge(seconds: number): string {
  return seconds < 60 ? "now" : `${Math.floor(seconds / 60)} min`;
}
