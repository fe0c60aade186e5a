/** What can be answered: words, order on the screen, drawings. */

import type { Choice, Option, Room } from "../../api/rooms";
import { EMOJI, EMOTIONS, type Emotion } from "../../generated/vocabulary";

const WORDS: Partial<Record<Option, string>> = {
  lost: "lost",
  slow_down: "slow down",
  fine: "fine",
  speed_up: "speed up",
  none: "no answer",
};

/** What an option is called in the middle of a sentence. */
export function nameOption(option: Option, kind: Room["kind"] = "pulse"): string {
  if (option === "none" && kind === "expressions") return "no face or uncertain";
  return WORDS[option] ?? option;
}

const EXPLANATIONS: Partial<Record<Option, string>> = {
  lost: "I cannot follow",
  slow_down: "I can just follow",
  fine: "Go on like this",
  speed_up: "I know this already",
};

/** What an answer means, where one word is too short. */
export function explainOption(option: Option): string {
  return EXPLANATIONS[option] ?? "";
}

/** What somebody can choose, in the order of the keys 1, 2, 3, … */
export function listChoices(room: Room): Choice[] {
  return room.options.filter((option): option is Choice => option !== "none");
}

function isEmotion(option: Option): option is Emotion {
  return (EMOTIONS as readonly string[]).includes(option);
}

/** The product's own drawing of an expression; null for an option that is none. */
export function findDrawing(option: Option): string | null {
  return isEmotion(option) ? EMOJI[option] : null;
}

/** What a room asks, in the host's and the participants' words. */
export function describeKind(room: Pick<Room, "kind" | "question">): string {
  if (room.kind === "expressions") return "Expressions";
  return room.question === "mood" ? "Mood" : "Pace";
}
