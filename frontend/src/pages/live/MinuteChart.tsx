/** Shares of the last minute, stacked. */

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { theme } from "../../app/theme";
import { COLOURS, type Emotion, STACKING } from "../../generated/vocabulary";
import { readColour } from "../../ui/colour";
import { formatPercent } from "../../ui/format";
import { averageCourse, type Course, WINDOW_S } from "./history";
import type { LiveSession } from "./session";

const HEIGHT = 150;
const EVERY_MS = 500;

export function MinuteChart({
  session,
  chosen,
  isRead,
}: {
  session: LiveSession;
  chosen: number | null;
  /** Whether anything was read; before, it is not said that nobody was seen. */
  isRead: boolean;
}) {
  const room = useRef<HTMLDivElement>(null);
  const drawn = useRef<uPlot | null>(null);
  const [summary, setSummary] = useState("");

  useEffect(() => {
    const element = room.current as HTMLDivElement;
    const now = session.history.measure(chosen);
    const chart = new uPlot(makeOptions(element), stack(now), element);
    drawn.current = chart;
    setSummary(describe(now)); // a pause refreshes nothing, and somebody else may be chosen in it
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    const refresh = (): void => {
      if (session.phase.value !== "running" || session.isPaused.value || document.hidden) return;
      const course = session.history.measure(chosen);
      chart.setData(stack(course), false);
      chart.setScale("x", { min: -WINDOW_S + 1, max: 0 });
      setSummary(describe(course));
    };
    refresh();
    const timer = setInterval(refresh, EVERY_MS);
    return () => {
      clearInterval(timer);
      observer.disconnect();
      chart.destroy();
    };
  }, [session, chosen, isRead]);

  useEffect(() => drawn.current?.redraw(false), [theme.value]);

  return (
    <>
      <div ref={room} class="live-chart" aria-hidden="true" />
      <ul class="live-legend" aria-hidden="true">
        {[...STACKING].reverse().map((emotion) => (
          <li key={emotion} class={`tone-${emotion}`}>
            <span class="live-swatch" /> {emotion}
          </li>
        ))}
      </ul>
      <p class="soft live-summary">{isRead && summary}</p>
    </>
  );
}

/** Rows of running sums, from the top layer to the lowest, so that each is painted over by the next. */
function stack(course: Course): uPlot.AlignedData {
  const sums: (number | null)[] = course.times.map(() => 0);
  const layers = STACKING.map((emotion) => {
    course.shares[emotion].forEach((share, i) => {
      sums[i] = share === null ? null : (sums[i] ?? 0) + share;
    });
    return [...sums];
  });
  return [course.times, ...layers.reverse()] as uPlot.AlignedData;
}

function makeOptions(element: HTMLElement): uPlot.Options {
  const ink = () => readColour(element, "ink-soft");
  const line = () => readColour(element, "line");
  const font = "12px system-ui, sans-serif";
  const layer = (emotion: Emotion): uPlot.Series => ({
    fill: COLOURS[emotion],
    stroke: COLOURS[emotion],
    width: 0,
    points: { show: false },
    ...(uPlot.paths.stepped && { paths: uPlot.paths.stepped({ align: -1 }) }),
    spanGaps: false,
  });
  return {
    width: element.clientWidth || 300,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [6, 18, 0, 0],
    scales: { x: { time: false, range: [-WINDOW_S + 1, 0] }, y: { range: [0, 1] } },
    axes: [
      {
        stroke: ink,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        font,
        size: 24,
        splits: () => [-45, -30, -15, 0],
        values: (_, splits) => splits.map((value) => (value === 0 ? "now" : `${value} s`)),
      },
      {
        stroke: ink,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        font,
        size: 44,
        splits: () => [0, 0.5, 1],
        values: (_, splits) => splits.map((value) => `${100 * value} %`),
      },
    ],
    series: [{}, ...[...STACKING].reverse().map(layer)],
  };
}

function describe(course: Course): string {
  const shares = averageCourse(course);
  if (shares === null) return "Nobody was seen in the last minute.";
  const largest = Object.entries(shares)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .filter(([, share]) => share >= 0.05);
  return `On average ${largest.map(([emotion, share]) => `${emotion} ${formatPercent(share)}`).join(", ")}.`;
}
