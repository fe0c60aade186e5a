// @vitest-environment happy-dom
import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it, vi } from "vitest";
import type { Frame } from "../../api/types";
import { History } from "./history";
import { MinuteChart } from "./MinuteChart";
import type { LiveSession } from "./session";

vi.mock("uplot", () => {
  class Chart {
    static paths = {};
    destroy = () => {};
    redraw = () => {};
  }
  return { default: Chart };
});

it("says in a pause, too, what it says of whoever is chosen", async () => {
  const history = new History();
  const faces = ["happy", "sad"].map((emotion, i) => ({ track: i + 1, probabilities: { [emotion]: 1 } }));
  history.add({ time_s: 1, faces } as unknown as Frame);
  const session = { history, phase: signal("running"), isPaused: signal(true) } as unknown as LiveSession;
  const root = document.createElement("div");
  const said = [];
  for (const chosen of [1, 2, null]) {
    await act(() => render(<MinuteChart session={session} chosen={chosen} isRead={true} />, root));
    said.push(root.querySelector(".live-summary")?.textContent);
  }
  expect(said).toEqual([
    "On average happy 100 %.",
    "On average sad 100 %.",
    "On average happy 50 %, sad 50 %.",
  ]);
  render(null, root);
});
