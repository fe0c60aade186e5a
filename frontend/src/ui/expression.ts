/** What a face's expression is called on screen. */

import type { Face, Probabilities, Votes } from "../api/types";
import { EMOTIONS, type Emotion, VOTE_LABELS, type VoteLabel } from "../generated/vocabulary";
import { formatPercent } from "./format";

/** The shares that the label was read from. */
export function basisOf(face: Pick<Face, "probabilities" | "smoothed">): Probabilities {
  return face.smoothed ?? face.probabilities;
}

/** The expression with the largest share; the first of them on a tie. */
export function findTop(shares: Probabilities): Emotion {
  let top: Emotion = "neutral";
  let best = Number.NEGATIVE_INFINITY;
  for (const emotion of EMOTIONS) {
    const share = shares[emotion];
    if (share !== undefined && share > best) [top, best] = [emotion, share];
  }
  return top;
}

/** `happy 97 %`, `uncertain: sad 31 %`. */
export function describeFace(face: Face): string {
  const share = `${findTop(basisOf(face))} ${formatPercent(face.confidence)}`;
  return face.emotion === null ? `uncertain: ${share}` : share;
}

/** Whether a network knows how people vote: one that was trained without votes gives every expression the same share. */
export function knowsVotes(votes: Votes): boolean {
  return new Set(Object.values(votes)).size > 1;
}

/** Labels with their shares in the vocabulary's order; labels that are absent are left out. */
export function listShares(shares: Probabilities | Votes): [VoteLabel, number][] {
  return VOTE_LABELS.flatMap((label): [VoteLabel, number][] => {
    const share = (shares as Votes)[label];
    return share === undefined ? [] : [[label, share]];
  });
}
