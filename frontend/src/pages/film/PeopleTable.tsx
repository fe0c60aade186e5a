/** Figures per person. */

import type { PersonSummary, Summary } from "../../api/types";
import { EMOTIONS, type Emotion } from "../../generated/vocabulary";
import { formatClock, formatCount, formatDuration, formatPercent } from "../../ui/format";

export function PeopleTable({ summary, onSeek }: { summary: Summary; onSeek: (time: number) => void }) {
  const labels = EMOTIONS.filter((label) =>
    summary.people.some((person) => person.shares[label] !== undefined),
  );
  return (
    <section class="people" aria-labelledby="people-title">
      <h2 id="people-title">Figures</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a table that scrolls is reached by keyboard */}
      <section class="people-scroll card" aria-labelledby="people-title" tabIndex={0}>
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">Person</th>
              <th scope="col">Seen</th>
              {labels.map((label) => (
                <th scope="col" key={label}>
                  <span class={`people-label tone-${label}`}>{label}</span>
                </th>
              ))}
              <th scope="col">uncertain</th>
              <th scope="col">Changes</th>
              <th scope="col">Longest</th>
            </tr>
          </thead>
          <tbody>
            {summary.people.map((person) => (
              <Row key={person.track} person={person} labels={labels} onSeek={onSeek} />
            ))}
          </tbody>
        </table>
      </section>
      <p class="soft people-note">
        Shares are of the time in which a person was seen.{" "}
        {formatCount(summary.frames, "frame was", "frames were")} read
        {summary.untracked > 0 &&
          `; ${formatCount(summary.untracked, "face belongs", "faces belong")} to nobody, and are left out`}
        .
      </p>
    </section>
  );
}

function Row({
  person,
  labels,
  onSeek,
}: {
  person: PersonSummary;
  labels: readonly Emotion[];
  onSeek: (time: number) => void;
}) {
  const longest = person.longest;
  return (
    <tr>
      <th scope="row">{person.track}</th>
      <td>
        {formatDuration(person.seen_s)} <span class="soft">({formatPercent(person.coverage)})</span>
      </td>
      {labels.map((label) => (
        <td key={label} data-top={label === person.dominant}>
          {formatShare(person.shares[label] ?? 0)}
        </td>
      ))}
      <td>{formatShare(person.uncertain)}</td>
      <td>{person.changes}</td>
      <td>
        {longest ? (
          <button
            type="button"
            class="link-button"
            onClick={() => onSeek(longest.start_s)}
            aria-label={`${longest.emotion}, ${formatDuration(longest.seconds)}: go to ${formatClock(longest.start_s)}`}
          >
            {longest.emotion}, {formatDuration(longest.seconds)}
          </button>
        ) : (
          "–"
        )}
      </td>
    </tr>
  );
}

function formatShare(share: number): string {
  return share > 0 ? formatPercent(share) : "–";
}
