import { describe, expect, it } from "vitest";
import type { Row, Shares } from "../../api/rooms";
import { addRow, collectBins, findLargest, findState, findWindow, stackShares } from "./rows";
import { describeState, describeWithheld } from "./wording";

const OPTIONS = ["lost", "slow_down", "fine", "speed_up", "none"] as const;

function makeRow(bucket: number, shares: Shares | null, rest: Partial<Row> = {}): Row {
  return {
    bucket,
    start_s: 10 * bucket,
    end_s: 10 * bucket + 10,
    contributors: shares ? 6 : 0,
    withheld: shares ? 0 : 3,
    why: shares ? null : "few",
    returns_s: null,
    shares,
    intervals: null,
    lost: shares ? 1 : null,
    ...rest,
  };
}

describe("collectBins", () => {
  it("keeps buckets that may not be shown as gaps, and makes none where nobody was", () => {
    const rows = [makeRow(0, { lost: 1 }), makeRow(1, null), makeRow(4, { lost: 0.5, fine: 0.5 })];
    const bins = collectBins(rows, [0, 60], 10);
    expect(bins.map(({ start_s, end_s, shares }) => [start_s, end_s, shares])).toEqual([
      [0, 10, { lost: 1 }],
      [10, 20, null],
      [40, 50, { lost: 0.5, fine: 0.5 }],
    ]);
  });

  it("takes what is inside the time", () => {
    const rows = [0, 1, 2, 3].map((bucket) => makeRow(bucket, { fine: 1 }));
    expect(collectBins(rows, [15, 30], 10).map((bin) => bin.start_s)).toEqual([10, 20]);
  });

  it("weighs rows by their people when several are one bin", () => {
    const rows = [
      makeRow(0, { lost: 1, fine: 0 }, { contributors: 5 }),
      makeRow(1, { lost: 0, fine: 1 }, { contributors: 15 }),
      makeRow(2, null),
    ];
    const [bin, ...others] = collectBins(rows, [0, 40], 10, 1);
    expect(others).toEqual([]);
    expect(bin).toEqual({ start_s: 0, end_s: 30, contributors: 10, shares: { lost: 0.25, fine: 0.75 } });
  });

  it("keeps a whole day in 180 bins that stay while the time goes on", () => {
    const rows = Array.from({ length: 8640 }, (_, bucket) => makeRow(bucket, { fine: 1 }));
    const bins = collectBins(rows, [0, 86_400], 10);
    expect(bins.length).toBeLessThanOrEqual(181);
    expect(bins[0]).toMatchObject({ start_s: 0, end_s: 480 });
  });
});

it("stackShares lays one option on the other, and never above the whole", () => {
  const layers = stackShares({ lost: 0.2857, slow_down: 0.1429, fine: 0.5714, none: 0.0001 }, OPTIONS);
  expect(layers.map(({ option }) => option)).toEqual(OPTIONS);
  expect(layers[0]).toEqual({ option: "lost", low: 0, high: 0.2857 });
  expect(layers[2]?.low).toBeCloseTo(0.4286);
  expect(layers[3]).toMatchObject({ low: layers[2]?.high, high: layers[2]?.high });
  expect(layers[4]?.high).toBeLessThanOrEqual(1);
});

describe("findWindow", () => {
  const rows = [12, 13, 60].map((bucket) => makeRow(bucket, { fine: 1 }));
  it("ends now and begins with the first row", () => {
    expect(findWindow(rows, 613, 0, 10)).toEqual([120, 610]);
    expect(findWindow(rows, 913, 300, 10)).toEqual([610, 910]);
    expect(findWindow(rows, 613, 1800, 10)).toEqual([120, 610]);
  });
  it("is a minute at least", () => {
    expect(findWindow([], 3, 300, 10)).toEqual([0, 60]);
    expect(findWindow(rows.slice(0, 1), 130, 300, 10)).toEqual([120, 180]);
  });
});

describe("findState", () => {
  const room = { bucket_s: 10, min_group: 5 };
  const here = (count: number, sinceS = 0) => ({ count, sinceS });
  it("tells an empty room from one that was left", () => {
    expect(findState([], here(0), 5, room)).toEqual({ kind: "empty", before: false });
    expect(findState([makeRow(0, { lost: 1 })], here(0), 500, room)).toEqual({ kind: "empty", before: true });
  });
  it("waits for enough people", () => {
    expect(findState([], here(3), 5, room)).toEqual({ kind: "few", count: 3, needed: 5 });
    expect(findState([makeRow(0, null)], here(4), 12, room)).toEqual({ kind: "few", count: 3, needed: 5 });
  });
  it("promises sums to those who came just now, and to nobody who has paused", () => {
    const say = (nowS: number, sinceS: number) => {
      const state = findState([], here(6, sinceS), nowS, room);
      if (state.kind === "shown") throw new Error();
      return Object.values(describeState(state, nowS)).join(". ");
    };
    expect(say(1219, 1200)).toContain("Enough are here; the first sums come in a few seconds.");
    expect(say(1221, 1200)).toBe(
      "Nobody answers at the moment. 6 people are here. Sums are shown when enough answer.",
    );
    expect(findState([makeRow(0, { lost: 1 })], here(6), 500, room)).toEqual({ kind: "silent", count: 6 });
    expect(findState([], here(4), 500, room).kind).toBe("few"); // too few, whether they answer or not
  });
  it("waits out a change", () => {
    const row = makeRow(4, null, { why: "change", returns_s: 430 });
    const state = findState([row], here(6), 52, room);
    expect(state).toEqual({ kind: "change", returnsS: 430 });
    if (state.kind !== "change") throw new Error();
    expect(describeState(state, 52).text).toContain("sums can come back in about 6 minutes");
    expect(describeState(state, 390).text).toContain("in about 40 s");
    expect(describeState(state, 429).text).toContain("in a moment");
  });
  it("shows the latest sums, also when some wait", () => {
    const row = makeRow(4, { lost: 1 }, { withheld: 2, why: "few" });
    expect(findState([row], here(8), 52, room)).toEqual({ kind: "shown", row, withheld: 2 });
    expect(describeWithheld(2, "few")).toBe("2 more people are waiting until enough are new.");
    expect(describeWithheld(1, "change")).toBe("1 more person is waiting out a change.");
  });
});

it("addRow keeps the order of time and no row twice", () => {
  const rows = [makeRow(1, null), makeRow(3, null)];
  const late = makeRow(2, { lost: 1 });
  expect(addRow(rows, late).map((row) => row.bucket)).toEqual([1, 2, 3]);
  expect(addRow(rows, makeRow(3, { lost: 1 }))).toEqual([rows[0], makeRow(3, { lost: 1 })]);
});

it("findLargest is an answer, not its absence", () => {
  expect(findLargest({ none: 0.8, fine: 0.15, lost: 0.05 }, OPTIONS)).toBe("fine");
  expect(findLargest({ none: 1 }, OPTIONS)).toBeNull();
});
