/** A lane per person over the film's time; pointing reads, clicking and keys seek, the playhead follows the film. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Timeline, TimelineTrack } from "../../api/types";
import { theme } from "../../app/theme";
import { EMOJI } from "../../generated/vocabulary";
import { formatClock } from "../../ui/format";
import { useSize } from "../../ui/useSize";
import {
  findBin,
  followView,
  listTicks,
  moveByKey,
  readBin,
  timeToX,
  type View,
  xToTime,
  zoomView,
} from "./geometry";
import { Legend } from "./Legend";
import { drawLane } from "./lane";

export function TimelineView({
  timeline,
  whole,
  time,
  told,
  playing,
  onSeek,
  onToggle,
}: {
  timeline: Timeline;
  whole: View;
  time: number;
  /** The time that a screen reader is told; it does not run with the film, or the slider would talk without pause. */
  told: number;
  playing: boolean;
  onSeek: (time: number) => void;
  /** Play or pause the film, where there is one. */
  onToggle: (() => void) | undefined;
}) {
  const lanes = useRef<HTMLDivElement>(null);
  const { width } = useSize(lanes);
  const [view, setView] = useState<View>(whole);
  const [pointed, setPointed] = useState<number | null>(null);
  const dragging = useRef(false);

  useEffect(() => {
    if (!dragging.current) setView((current) => followView(current, time, whole));
  }, [time]);

  const timeAt = (event: PointerEvent): number => {
    const left = lanes.current?.getBoundingClientRect().left ?? 0;
    return Math.min(whole.stop, Math.max(whole.start, xToTime(event.clientX - left, view, width)));
  };
  const zoom = (factor: number, at = time): void => setView(zoomView(view, factor, at, whole));
  const isWhole = view.stop - view.start >= whole.stop - whole.start - 1e-6;
  const people = timeline.tracks.length;

  return (
    <section class="timeline" aria-label="Timeline">
      <div class="timeline-bar">
        <h2>
          {people === 1 ? "1 person" : `${people} people`}
          {timeline.hidden > 0 && (
            <span class="timeline-hidden"> and {timeline.hidden} seen too shortly for a lane</span>
          )}
        </h2>
        <div class="button-row">
          <button type="button" class="button button-small" disabled={isWhole} onClick={() => zoom(2)}>
            Farther
          </button>
          <button type="button" class="button button-small" onClick={() => zoom(0.5)}>
            Nearer
          </button>
          <button type="button" class="button button-small" disabled={isWhole} onClick={() => setView(whole)}>
            Whole film
          </button>
        </div>
      </div>
      <div class="timeline-grid">
        <ul class="timeline-names" aria-label="People at the playhead">
          {timeline.tracks.map((track) => (
            <Name key={track.track} track={track} time={pointed ?? time} />
          ))}
        </ul>
        {/* One slider for all lanes: they share the film's time. */}
        <div
          ref={lanes}
          class="timeline-lanes"
          role="slider"
          tabIndex={0}
          aria-label="Time in the film"
          aria-valuemin={Math.floor(whole.start)}
          aria-valuemax={Math.ceil(whole.stop)}
          aria-valuenow={Math.round(told)}
          aria-valuetext={describeMoment(timeline, told)}
          onKeyDown={(event) => {
            if (event.ctrlKey || event.metaKey || event.altKey) return;
            const target = moveByKey(event.key, time, whole);
            if (target !== null) onSeek(target);
            else if (event.key === "+" || event.key === "=") zoom(0.5);
            else if (event.key === "-") zoom(2);
            else if (event.key === "0") setView(whole);
            else if (event.key === " " && onToggle) onToggle();
            else return;
            event.preventDefault();
          }}
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            dragging.current = true;
            event.currentTarget.setPointerCapture(event.pointerId);
            onSeek(timeAt(event));
          }}
          onPointerMove={(event) => {
            setPointed(timeAt(event));
            if (dragging.current) onSeek(timeAt(event));
          }}
          onPointerUp={() => {
            dragging.current = false;
          }}
          onPointerCancel={() => {
            dragging.current = false;
          }}
          onPointerLeave={() => setPointed(null)}
        >
          {timeline.tracks.map((track) => (
            <LaneCanvas key={track.track} track={track} view={view} width={width} />
          ))}
          <Axis view={view} width={width} />
          {pointed !== null && !dragging.current && (
            <Line time={pointed} view={view} width={width} kind="pointed" label={formatClock(pointed, 1)} />
          )}
          <Line
            time={time}
            view={view}
            width={width}
            kind={playing ? "playing" : "resting"}
            label={formatClock(time, 1)}
          />
        </div>
      </div>
      <Legend labels={timeline.labels} />
    </section>
  );
}

function Name({ track, time }: { track: TimelineTrack; time: number }) {
  const bin = findBin(track, time);
  const reading = bin && readBin(bin);
  return (
    <li>
      {reading && reading !== "uncertain" ? (
        <img src={EMOJI[reading]} alt="" width="28" height="28" />
      ) : (
        <span class="timeline-nobody" data-uncertain={reading === "uncertain"} />
      )}
      <span class="timeline-who">
        <span>Person {track.track}</span>
        <span class="soft">{reading ?? "not seen"}</span>
      </span>
    </li>
  );
}

function LaneCanvas({ track, view, width }: { track: TimelineTrack; view: View; width: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shade = theme.value;
  useEffect(() => {
    if (!canvas.current || width === 0) return;
    const style = getComputedStyle(canvas.current);
    drawLane(canvas.current, track, view, {
      empty: style.getPropertyValue("background-color"),
      hatch: style.getPropertyValue("color"),
      paper: style.getPropertyValue("border-top-color"),
    });
  }, [track, view, width, shade]);
  return <canvas ref={canvas} class="timeline-lane" />;
}

function Axis({ view, width }: { view: View; width: number }) {
  return (
    <div class="timeline-axis" aria-hidden="true">
      {listTicks(view, width).map((tick) => (
        <span
          key={tick.label}
          class="numbers"
          data-edge={tick.x < 24 ? "left" : tick.x > width - 24 ? "right" : "none"}
          style={{ left: `${tick.x}px` }}
        >
          {tick.label}
        </span>
      ))}
    </div>
  );
}

function Line({
  time,
  view,
  width,
  kind,
  label,
}: {
  time: number;
  view: View;
  width: number;
  kind: string;
  label: string;
}) {
  const x = timeToX(time, view, width);
  if (x < 0 || x > width + 0.5) return null;
  return (
    <div
      class="timeline-line"
      data-kind={kind}
      data-end={x > width - 70}
      style={{ left: `${x}px` }}
      aria-hidden="true"
    >
      <span class="numbers">{label}</span>
    </div>
  );
}

/** `1:05. Person 1: happy. Person 2 is not seen.` */
function describeMoment(timeline: Timeline, time: number): string {
  const said = timeline.tracks.slice(0, 6).map((track) => {
    const bin = findBin(track, time);
    return bin ? `Person ${track.track}: ${readBin(bin)}` : `Person ${track.track} is not seen`;
  });
  return `${[formatClock(time), ...said].join(". ")}.`;
}
