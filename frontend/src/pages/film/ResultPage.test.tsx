// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it, vi } from "vitest";
import { cancelJob } from "../../api/client";
import { type JobWatcher, watchJob } from "../../api/jobs";
import { announce } from "../../ui/announce";
import { JOB } from "./fakejob";
import ResultPage from "./ResultPage";

vi.mock("../../api/client");
vi.mock("../../ui/announce");
vi.mock(import("../../api/jobs"), async (original) => ({ ...(await original()), watchJob: vi.fn() }));

it("says that reading was cancelled, though the film is watched anew by then", async () => {
  const watchers: JobWatcher[] = [];
  vi.mocked(watchJob).mockImplementation((_, watcher) => {
    watchers.push(watcher);
    return () => {};
  });
  vi.mocked(cancelJob).mockResolvedValue(JOB);
  const root = document.createElement("div");
  act(() => render(<ResultPage params={{ id: "f1" }} />, root));
  act(() => watchers.at(-1)?.onJob(JOB));
  expect(announce).not.toHaveBeenCalled();
  await act(async () => root.querySelector<HTMLElement>(".running button")?.click());
  expect(watchers).toHaveLength(2);
  act(() => watchers.at(-1)?.onJob({ ...JOB, status: "cancelled" }));
  expect(vi.mocked(announce).mock.calls).toEqual([["a.mp4: cancelled"]]);
  render(null, root);
});
