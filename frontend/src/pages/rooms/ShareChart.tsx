/** The session over time: shares stacked, and below how many they are of. */

import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Mark, Option } from "../../api/rooms";
import { theme } from "../../app/theme";
import { readColour } from "../../ui/colour";
import { formatClock } from "../../ui/format";
import { type Paint, paintMarks, paintPeople, paintShares } from "./painting";
import type { Bin } from "./rows";

interface Data {
  bins: readonly Bin[];
  marks: readonly Mark[];
  /** The time that is shown, s since the room was made. */
  window: readonly [from: number, to: number];
}

export interface ShareChartProps extends Data {
  options: readonly Option[];
  isPresenting: boolean;
  /** The bin under the pointer. */
  onPoint: (bin: Bin | null) => void;
}

const SYNC = "room";

export function ShareChart({ bins, marks, window, options, isPresenting, onPoint }: ShareChartProps) {
  const shares = useRef<HTMLDivElement>(null);
  const people = useRef<HTMLDivElement>(null);
  const charts = useRef<uPlot[]>([]);
  const latest = useRef<Data>({ bins, marks, window });
  latest.current = { bins, marks, window };
  const point = useRef(onPoint);
  point.current = onPoint;

  useEffect(() => {
    const made = [
      makeChart(shares, latest, options, (bin) => point.current(bin), "shares"),
      makeChart(people, latest, options, (bin) => point.current(bin), "people"),
    ];
    charts.current = made;
    const observer = new ResizeObserver(() => {
      for (const chart of made) chart.setSize(sizeOf(chart.root.parentElement));
    });
    for (const room of [shares, people]) if (room.current) observer.observe(room.current);
    return () => {
      observer.disconnect();
      for (const chart of made) chart.destroy();
      charts.current = [];
    };
  }, [isPresenting, options.join()]);

  useEffect(() => {
    for (const chart of charts.current) update(chart, latest.current);
  }, [bins, marks, window[0], window[1], theme.value, isPresenting]);

  return (
    <div class="room-charts" aria-hidden="true">
      <div ref={shares} class="room-chart" />
      <p class="room-chart-caption soft">People in the sums</p>
      <div ref={people} class="room-chart-people" />
    </div>
  );
}

function sizeOf(element: HTMLElement | null): { width: number; height: number } {
  return { width: element?.clientWidth || 300, height: element?.clientHeight || 200 };
}

function update(chart: uPlot, { bins, window: [min, max] }: Data): void {
  const middles = bins.map((bin) => (bin.start_s + bin.end_s) / 2);
  chart.batch(() => {
    chart.setData([middles, bins.map((bin) => bin.contributors)], false);
    chart.setScale("x", { min, max }); // this draws, also when the time is the same
  });
}

/** The least of 5, 10, 20, 50, … that holds all of the people. */
function niceCeiling(bins: readonly Bin[]): number {
  const most = Math.max(1, ...bins.map((bin) => bin.contributors));
  for (let scale = 1; ; scale *= 10)
    for (const step of [5, 10, 20]) if (step * scale >= most) return step * scale;
}

function makeChart(
  room: RefObject<HTMLDivElement | null>,
  data: RefObject<Data>,
  options: readonly Option[],
  onPoint: (bin: Bin | null) => void,
  kind: "shares" | "people",
): uPlot {
  const element = room.current as HTMLDivElement;
  const sizePx = Number.parseFloat(getComputedStyle(element).fontSize);
  const font = `${sizePx}px system-ui, sans-serif`;
  const isPeople = kind === "people";
  // Colours are read at every drawing, so that they follow the theme.
  const read = (variable: string) => readColour(element, variable);
  const readPaint = (): Paint => ({
    options,
    colours: Object.fromEntries(options.map((option) => [option, read(`option-${option}`)])),
    hatch: read(isPeople ? "line-strong" : "line"),
    ink: read("ink"),
    unit: devicePixelRatio,
  });
  const axis = {
    stroke: () => read("ink-soft"),
    grid: { stroke: () => read("line"), width: 1 },
    ticks: { show: false },
    font,
  };
  const chart = new uPlot(
    {
      ...sizeOf(element),
      legend: { show: false },
      cursor: {
        sync: { key: SYNC, scales: ["x", null] },
        x: true,
        y: false,
        points: { show: false },
        drag: { x: false, y: false },
      },
      padding: [isPeople ? 0.6 * sizePx : 1.5 * sizePx, sizePx, isPeople ? 0.6 * sizePx : 0, 0],
      scales: {
        x: { time: false },
        y: { range: () => [0, isPeople ? niceCeiling(data.current?.bins ?? []) : 1] },
      },
      axes: [
        {
          ...axis,
          show: !isPeople,
          size: 2 * sizePx,
          values: (_, splits) => splits.map((split) => formatClock(split)),
          incrs: [10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400],
          space: 5 * sizePx,
        },
        isPeople
          ? { ...axis, size: 3.4 * sizePx, splits: ({ scales }) => [0, scales.y?.max ?? 0] }
          : {
              ...axis,
              size: 3.4 * sizePx,
              splits: () => [0, 0.25, 0.5, 0.75, 1],
              values: (_, splits) => splits.map((split) => `${100 * split} %`),
            },
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: {
        drawAxes: [
          (drawn) => {
            const { bins } = data.current as Data;
            if (isPeople) paintPeople(drawn, bins, readPaint());
            else paintShares(drawn, bins, readPaint());
          },
        ],
        draw: [
          (drawn) => {
            if (!isPeople)
              paintMarks(
                drawn,
                (data.current as Data).marks,
                readPaint(),
                `600 ${sizePx * devicePixelRatio}px system-ui, sans-serif`,
              );
          },
        ],
        setCursor: [
          ({ cursor }) => {
            const isOver = (cursor.left ?? -1) >= 0;
            onPoint((isOver && cursor.idx != null && data.current?.bins[cursor.idx]) || null);
          },
        ],
      },
    },
    [[], []],
    element,
  );
  update(chart, data.current as Data);
  return chart;
}
