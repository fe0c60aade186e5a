/** The answers as large buttons, and as the keys 1, 2, 3, … while the focus is among them. */

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Choice } from "../../api/rooms";
import { announce } from "../../ui/announce";
import { formatDuration } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { explainOption, listChoices, nameOption } from "./options";
import type { Participant } from "./participant";
import { OptionSign } from "./RoomIcon";
import { useNow } from "./useNow";

/** When so little is left the page says that an answer lapses. */
const SOON_MS = 60_000;

export function ChoiceButtons({
  participant,
  isDisabled,
}: {
  participant: Participant;
  isDisabled: boolean;
}) {
  const { room } = participant;
  const choices = listChoices(room);
  const chosen = participant.choice.value;
  const section = useRef<HTMLElement>(null);

  const choose = (choice: Choice | null): void => {
    participant.choose(choice);
    announce(choice === null ? "Your answer is taken back" : `You say ${nameOption(choice)}`);
  };

  useLayoutEffect(() => {
    const element = section.current;
    if (isDisabled || element === null) return;
    // Not of the whole page: whoever speaks to the computer, or misses a field, must not answer unawares.
    const press = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const choice = choices[Number(event.key) - 1];
      if (choice) choose(choice);
      else if (event.key === "0" && participant.choice.value !== null) choose(null);
    };
    element.addEventListener("keydown", press);
    return () => element.removeEventListener("keydown", press);
  }, [isDisabled, participant]);

  return (
    // It takes the focus when what had it in here is gone, so that the keys go on.
    <section ref={section} aria-label="Your answer" class="choices" data-count={choices.length} tabIndex={-1}>
      <ul class="choice-list">
        {choices.map((choice, index) => (
          <li key={choice}>
            <button
              type="button"
              class={`choice option-tone-${choice}`}
              aria-pressed={chosen === choice}
              aria-keyshortcuts={String(index + 1)}
              disabled={isDisabled}
              onClick={() => choose(choice)}
            >
              <span class="choice-sign">
                <OptionSign option={choice} />
              </span>
              <span class="choice-words">
                <span class="choice-name">{nameOption(choice)}</span>
                {explainOption(choice) && <span class="choice-text">{explainOption(choice)}</span>}
              </span>
              {chosen === choice ? (
                <span class="choice-check">
                  <Icon name="check" />
                </span>
              ) : (
                <span class="choice-key" aria-hidden="true">
                  {index + 1}
                </span>
              )}
            </button>
          </li>
        ))}
      </ul>
      {!isDisabled && (
        <p class="choice-foot soft">
          {chosen === null ? (
            <span>No answer is an answer too: you are counted as “no answer”.</span>
          ) : (
            <>
              <Lapse participant={participant} choice={chosen} />
              <button type="button" class="link-button" onClick={() => choose(null)}>
                Take it back
              </button>
            </>
          )}
        </p>
      )}
    </section>
  );
}

function Lapse({ participant, choice }: { participant: Participant; choice: Choice }) {
  const lapsesAt = participant.lapsesAt.value;
  const now = useNow(1000, lapsesAt !== null);
  const leftMs = (lapsesAt ?? now) - now;
  if (leftMs > SOON_MS) {
    return (
      <span class="numbers">
        You say “{nameOption(choice)}”. It holds for {Math.ceil(leftMs / 60_000)} min. Tap it again to keep it
        longer.
      </span>
    );
  }
  return (
    <span class="numbers">
      You say “{nameOption(choice)}”. It lapses in {formatDuration(Math.max(0, leftMs) / 1000)}. Tap it again
      to keep it.
    </span>
  );
}
