// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { cancelJob, fetchJobs } from "../../api/client";
import { ApiError } from "../../api/errors";
import { JOB } from "./fakejob";
import { JobList } from "./JobList";

vi.mock("../../api/client");

let root: HTMLElement;

beforeEach(() => {
  vi.useFakeTimers();
  root = document.createElement("div");
  vi.mocked(fetchJobs).mockResolvedValue([JOB]);
});

afterEach(() => {
  render(null, root);
  vi.useRealTimers();
});

const said = (): string[] =>
  [...root.querySelectorAll('[role="alert"]')].map((note) => note.textContent ?? "");

async function wait(ms: number): Promise<void> {
  await act(async () => void (await vi.advanceTimersByTimeAsync(ms)));
}

async function cancel(): Promise<void> {
  act(() => root.querySelector("button")?.click());
  await wait(0);
}

it("keeps why an action was refused until the next one, however often the list is asked for", async () => {
  act(() => render(<JobList arrivals={0} />, root));
  await wait(0);
  const refusal = new ApiError({ code: "web.conflict", message: "it is read already", advice: "Wait." }, 409);
  vi.mocked(cancelJob).mockRejectedValueOnce(refusal).mockResolvedValueOnce(JOB);
  await cancel();
  await wait(5000);
  expect(vi.mocked(fetchJobs).mock.calls.length).toBeGreaterThan(3);
  expect(said()).toEqual([expect.stringContaining("It is read already.")]);
  await cancel();
  expect(said()).toEqual([]);
});
