/** Shares with their intervals, a row an option. */

import type { Option, Room, Row, Shares } from "../../api/rooms";
import { formatPercent } from "../../ui/format";
import { nameOption } from "./options";

export function OptionRows({
  room,
  shares,
  intervals,
}: {
  room: Room;
  shares: Shares;
  /** Null for means over several buckets. */
  intervals: Row["intervals"];
}) {
  return (
    <ul class="option-rows" aria-label="Shares">
      {room.options.map((option) => (
        <li key={option} class={`option-row option-tone-${option}`}>
          <span class="option-name">
            <span class="option-swatch" aria-hidden="true" />
            {nameOption(option, room.kind)}
          </span>
          <span class="option-track" aria-hidden="true">
            <span class="option-fill" style={{ width: `${100 * (shares[option] ?? 0)}%` }} />
            {intervals?.[option] && <Whisker interval={intervals[option]} />}
          </span>
          <span class="option-share numbers">{formatPercent(shares[option] ?? 0)}</span>
          <span class="option-interval soft numbers">
            {intervals?.[option] && formatInterval(intervals[option] as [number, number])}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Whisker({ interval: [low, high] }: { interval: readonly [number, number] }) {
  return <span class="option-whisker" style={{ left: `${100 * low}%`, width: `${100 * (high - low)}%` }} />;
}

/** `8–64 %`. */
export function formatInterval([low, high]: readonly [number, number]): string {
  return `${Math.round(100 * low)}–${Math.round(100 * high)} %`;
}

/** The colours of a chart's layers and what they mean. */
export function OptionLegend({ room }: { room: Room }) {
  return (
    <ul class="option-legend" aria-hidden="true">
      {room.options.map((option: Option) => (
        <li key={option} class={`option-tone-${option}`}>
          <span class="option-swatch" /> {nameOption(option, room.kind)}
        </li>
      ))}
    </ul>
  );
}
