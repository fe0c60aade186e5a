/** What the colours of a timeline mean. */

import type { Emotion } from "../../generated/vocabulary";

export function Legend({ labels }: { labels: readonly Emotion[] }) {
  return (
    <ul class="legend" aria-label="Colours">
      {labels.map((label) => (
        <li key={label} class={`tone-${label}`}>
          <i class="legend-fill" /> {label}
        </li>
      ))}
      <li>
        <i class="legend-uncertain" /> uncertain
      </li>
      <li>
        <i class="legend-absent" /> not seen
      </li>
    </ul>
  );
}
