/** Shares as bars, one row a label. */

import type { Probabilities, Votes } from "../api/types";
import type { VoteLabel } from "../generated/vocabulary";
import { listShares } from "./expression";
import { formatPercent } from "./format";

export function ShareBars({
  shares,
  caption,
  chosen,
  onChoose,
}: {
  shares: Probabilities | Votes;
  /** What a screen reader calls the list. */
  caption: string;
  /** With `onChoose` rows are buttons, and this one is pressed. */
  chosen?: VoteLabel | undefined;
  onChoose?: ((label: VoteLabel) => void) | undefined;
}) {
  return (
    <ul class="share-bars" aria-label={caption}>
      {listShares(shares).map(([label, share]) => {
        const row = (
          <>
            <span class="share-label">{label}</span>
            <span class={`share-track tone-${label}`} aria-hidden="true">
              <span class="share-fill" style={{ width: `${100 * share}%` }} />
            </span>
            <span class="share-number numbers">{formatPercent(share)}</span>
          </>
        );
        return (
          <li key={label}>
            {onChoose ? (
              <button
                type="button"
                class="share-row"
                aria-pressed={chosen === label}
                onClick={() => onChoose(label)}
              >
                {row}
              </button>
            ) : (
              <span class="share-row">{row}</span>
            )}
          </li>
        );
      })}
    </ul>
  );
}
