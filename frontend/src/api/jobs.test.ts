import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { fetchJob } from "./client";
import { readError } from "./errors";
import { watchJob } from "./jobs";
import type { Job } from "./types";

vi.mock("./client");

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", undefined);
});

afterEach(() => vi.useRealTimers());

it("a job is watched on after an error of the gateway, and not after one that stays", async () => {
  const job = { id: "f1", status: "running" } as Job;
  vi.mocked(fetchJob)
    .mockRejectedValueOnce(readError(502, "<html>"))
    .mockResolvedValueOnce(job)
    .mockRejectedValue(readError(404, ""));
  const [onJob, onError] = [vi.fn(), vi.fn()];
  watchJob("f1", { onJob, onError });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(onJob.mock.calls).toEqual([[job]]);
  expect(onError.mock.calls.map(([error]) => error.status)).toEqual([502, 404]);
});
