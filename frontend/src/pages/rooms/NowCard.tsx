/** How it goes now: one calm number, and what it is made of. */

import type { Room, Row } from "../../api/rooms";
import { formatClock, formatCount, formatPercent } from "../../ui/format";
import { OptionRows } from "./OptionRows";
import { nameOption } from "./options";
import { OptionSign } from "./RoomIcon";
import { type Bin, findLargest, type State } from "./rows";
import { describeState, describeWithheld } from "./wording";

export function NowCard({
  room,
  state,
  nowS,
  pointed,
}: {
  room: Room;
  state: State;
  nowS: number;
  /** What the pointer is over in the chart. */
  pointed: Bin | null;
}) {
  return (
    <section class="card room-card now-card" aria-label="Now">
      {state.kind === "shown" ? (
        <Headline room={room} row={state.row} />
      ) : (
        <Waiting state={state} nowS={nowS} />
      )}
      {state.kind === "shown" && state.withheld > 0 && (
        <p class="soft">{describeWithheld(state.withheld, state.row.why)}</p>
      )}
      {pointed?.shares ? (
        <>
          <p class="room-caption soft numbers">
            {formatClock(pointed.start_s)}–{formatClock(pointed.end_s)},{" "}
            {formatCount(Math.round(pointed.contributors), "person", "people")}
          </p>
          <OptionRows room={room} shares={pointed.shares} intervals={null} />
        </>
      ) : (
        state.kind === "shown" &&
        state.row.shares && (
          <>
            <p class="room-caption soft numbers">
              The last {room.bucket_s} s, {formatCount(state.row.contributors, "person", "people")}; in grey
              the 95 % interval
            </p>
            <OptionRows room={room} shares={state.row.shares} intervals={state.row.intervals} />
          </>
        )
      )}
    </section>
  );
}

function Headline({ room, row }: { room: Room; row: Row }) {
  if (row.lost !== null) {
    return (
      <p class="now-headline">
        <strong class="now-number numbers" data-testid="lost">
          {row.lost}
        </strong>
        <span class="now-words">
          of {row.contributors} {row.lost === 1 ? "is" : "are"} lost
        </span>
      </p>
    );
  }
  const top = row.shares && findLargest(row.shares, room.options);
  if (!top) return <p class="now-headline now-words">Nobody gave an answer</p>;
  return (
    <p class="now-headline">
      <OptionSign option={top} />
      <span class="now-words">
        <strong>{nameOption(top)}</strong>, {formatPercent(row.shares?.[top] ?? 0)} of {row.contributors}
      </span>
    </p>
  );
}

function Waiting({ state, nowS }: { state: Exclude<State, { kind: "shown" }>; nowS: number }) {
  const { title, text } = describeState(state, nowS);
  return (
    <div class="now-waiting">
      {state.kind === "few" && state.needed <= 12 && (
        <span class="now-dots" aria-hidden="true">
          {Array.from({ length: state.needed }, (_, i) => (
            <span key={i} data-filled={i < state.count} />
          ))}
        </span>
      )}
      <p class="now-words">{title}</p>
      <p class="soft">{text}</p>
    </div>
  );
}
