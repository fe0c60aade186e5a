/** What a host reads about sums that are shown or not. */

import type { Row } from "../../api/rooms";
import { formatCount } from "../../ui/format";
import type { State } from "./rows";

export function describeState(
  state: Exclude<State, { kind: "shown" }>,
  nowS: number,
): { title: string; text: string } {
  switch (state.kind) {
    case "empty":
      return state.before
        ? { title: "Nobody is here", text: "What was shown stays below." }
        : { title: "Nobody is here yet", text: "Let people join with the code." };
    case "few":
      return {
        title: `Waiting for at least ${state.needed} people`,
        text:
          state.count >= state.needed
            ? "Enough are here; the first sums come in a few seconds."
            : `${formatCount(state.count, "person is", "people are")} here. Sums of fewer could tell who said what.`,
      };
    case "silent":
      return {
        title: "Nobody answers at the moment",
        text: `${formatCount(state.count, "person is", "people are")} here. Sums are shown when enough answer.`,
      };
    case "change":
      return {
        title: "Somebody left or fell silent",
        text: `So that no difference tells what they said, sums can come back ${describeReturn(state.returnsS, nowS)}.`,
      };
  }
}

/** When sums can come back, no more exact than it is known: whoever was held may have to wait for enough others then. */
function describeReturn(returnsS: number | null, nowS: number): string {
  if (returnsS === null) return "when everybody answers again";
  const leftS = returnsS - nowS;
  if (leftS < 15) return "in a moment";
  if (leftS < 55) return `in about ${Math.ceil(leftS / 10) * 10} s`;
  const minutes = Math.round(leftS / 60);
  return `in about ${formatCount(Math.max(1, minutes), "minute")}`;
}

/** Those who contributed and are not in the sums. */
export function describeWithheld(count: number, why: Row["why"]): string {
  const who = formatCount(count, "more person is", "more people are");
  return why === "change" ? `${who} waiting out a change.` : `${who} waiting until enough are new.`;
}
