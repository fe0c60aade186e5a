/** The session over time: chart, marks, and the same as a table. */

import { useMemo, useState } from "preact/hooks";
import type { Room } from "../../api/rooms";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { formatClock, formatPercent } from "../../ui/format";
import { Segmented } from "../../ui/Segmented";
import type { Host } from "./host";
import { MarkForm } from "./MarkForm";
import { formatInterval, OptionLegend } from "./OptionRows";
import { nameOption } from "./options";
import { type Bin, collectBins, findWindow, type Span } from "./rows";
import { ShareChart } from "./ShareChart";

const SPANS = [
  { value: "300", label: "5 min" },
  { value: "1800", label: "30 min" },
  { value: "0", label: "All" },
] as const;

export function CourseCard({
  host,
  room,
  nowS,
  isPresenting,
  onPoint,
}: {
  host: Host;
  room: Room;
  nowS: number;
  isPresenting: boolean;
  onPoint: (bin: Bin | null) => void;
}) {
  const [chosen, setChosen] = useState<(typeof SPANS)[number]["value"] | null>(null);
  const value = chosen ?? (room.ended ? "0" : "300");
  const rows = host.rows.value;
  const marks = host.marks.value;
  const [from, to] = findWindow(rows, room.ended ? 0 : nowS, Number(value) as Span, room.bucket_s);
  const bins = useMemo(() => collectBins(rows, [from, to], room.bucket_s), [rows, from, to]);
  const isAnyShown = rows.some((row) => row.shares !== null);
  const isAnyHidden = bins.some((bin) => bin.shares === null);

  return (
    <section class="card room-card course-card" aria-labelledby="course-title">
      <div class="room-card-head">
        <h2 id="course-title">Over time</h2>
        <Segmented legend="Time shown" name="span" choices={SPANS} value={value} onChange={setChosen} />
      </div>
      {isAnyShown ? (
        <>
          <ShareChart
            bins={bins}
            marks={marks}
            window={[from, to]}
            options={room.options}
            isPresenting={isPresenting}
            onPoint={onPoint}
          />
          <OptionLegend room={room} />
          {isAnyHidden && (
            <p class="soft room-small course-hidden">
              <span class="option-swatch swatch-hatched" aria-hidden="true" /> Hatched: too few people, or a
              change was waited out.
            </p>
          )}
        </>
      ) : (
        <p class="course-empty soft">
          {room.ended
            ? `Fewer than ${room.min_group} people answered at a time, so nothing was shown.`
            : `The chart begins when at least ${room.min_group} people answer.`}
        </p>
      )}
      {!room.ended && <MarkForm onMark={(text) => host.mark(text)} />}
      {host.refusal.value && !isPresenting && <ErrorNotice error={host.refusal.value} />}
      {marks.length > 0 && (
        <ol class="mark-list" aria-label="Marks">
          {marks.map((mark, index) => (
            <li key={mark.id}>
              <span class="mark-number numbers" aria-hidden="true">
                {index + 1}
              </span>
              <span>{mark.text}</span>
              <span class="soft numbers">{formatClock(mark.at_s)}</span>
            </li>
          ))}
        </ol>
      )}
      {isAnyShown && <RowTable host={host} room={room} />}
    </section>
  );
}

/** Rows of the table; the CSV has all. */
const MOST_ROWS = 30;

function RowTable({ host, room }: { host: Host; room: Room }) {
  const rows = host.rows.value.slice(-MOST_ROWS).reverse();
  const others = room.options.filter((option) => option !== "lost");
  const hasLost = room.options.includes("lost");
  return (
    <details class="course-table">
      <summary>The last {rows.length} rows as a table</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by keyboard */}
      <section class="course-table-scroll" tabIndex={0} aria-label="Rows">
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">People</th>
              {hasLost && <th scope="col">lost (95 %)</th>}
              {others.map((option) => (
                <th key={option} scope="col">
                  {nameOption(option, room.kind)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.bucket}>
                <th scope="row">{formatClock(row.start_s)}</th>
                {row.shares === null ? (
                  <td colSpan={room.options.length + 1} class="soft">
                    {row.why === "change" ? "not shown: a change is waited out" : "not shown: too few"}
                  </td>
                ) : (
                  <>
                    <td>{row.contributors}</td>
                    {hasLost && (
                      <td>
                        {row.lost} ({row.intervals?.lost && formatInterval(row.intervals.lost)})
                      </td>
                    )}
                    {others.map((option) => (
                      <td key={option}>{formatPercent(row.shares?.[option] ?? 0)}</td>
                    ))}
                  </>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}
