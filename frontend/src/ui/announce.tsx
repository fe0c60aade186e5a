/** What a screen reader is told of things that change by themselves. */

import { signal } from "@preact/signals";

const message = signal("");

/** Say a sentence at the next pause. */
export function announce(text: string): void {
  // The same sentence twice is read twice only when it differs: a zero-width space stands at its end in turn.
  message.value = message.value === text ? `${text}\u200B` : text;
}

/** The live region; stands once in the page. */
export function Announcer() {
  return (
    <p class="visually-hidden" role="status" aria-live="polite">
      {message}
    </p>
  );
}
