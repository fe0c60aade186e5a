/** Raise a hand by name, and lower it. */

import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../../ui/announce";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { cleanLine } from "./messages";
import type { Participant } from "./participant";
import { RoomIcon } from "./RoomIcon";

const LONGEST = 40;

export function HandForm({ participant }: { participant: Participant }) {
  const [name, setName] = useState("");
  const hand = participant.hand.value;
  const wasUp = useRef(false);
  const isConnected = participant.connection.value.status === "open";

  useEffect(() => {
    if (hand !== null) announce(`Your hand is up, as ${hand.name}`);
    else if (wasUp.current) announce("Your hand is down");
    wasUp.current = hand !== null;
  }, [hand?.id]);

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const words = cleanLine(name);
    if (words !== "") participant.raise(words);
  };
  return (
    // It stays when what is in it is replaced, so that the keyboard goes on here.
    <section aria-label="Your hand" tabIndex={-1}>
      {hand !== null ? (
        <div class="card room-card hand-card">
          <p class="hand-up">
            <RoomIcon name="hand" />
            <span>
              Your hand is up, as{" "}
              <strong>
                <bdi>{hand.name}</bdi>
              </strong>
              .
            </span>
          </p>
          <button type="button" class="button" onClick={() => participant.lower()}>
            Lower it
          </button>
        </div>
      ) : (
        <form class="card room-card hand-card" onSubmit={submit}>
          <label class="field">
            <span class="field-name">Raise your hand, by name</span>
            <input
              class="room-input"
              type="text"
              maxLength={LONGEST}
              required
              autocomplete="off"
              placeholder="Your name"
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="button" disabled={!isConnected}>
            <RoomIcon name="hand" /> Raise
          </button>
          {participant.refusal.value && <ErrorNotice error={participant.refusal.value} />}
          <p class="soft room-small">
            The host sees this name until the hand is lowered. It is tied to none of your answers.
          </p>
        </form>
      )}
    </section>
  );
}
