// @vitest-environment happy-dom
import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { networkError, readError } from "../../api/errors";
import type { Analysis } from "../../api/types";
import { PhotoStage } from "./PhotoStage";
import { drawPhoto, type Photo, type PhotoState } from "./store";

vi.mock("./store");

const READ: PhotoState = { kind: "read", analysis: {} as Analysis };

let root: HTMLElement;
let state: Photo["state"];

/** Shows a photo of a format that this browser does not know. */
beforeEach(async () => {
  vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:drawn");
  root = document.createElement("div");
  state = signal<PhotoState>({ kind: "reading" });
  const photo = { name: "scan.tif", url: "blob:scan", state } as Photo;
  const nothing = { replacement: null, faces: [], evidence: null, active: null, busy: false };
  act(() => render(<PhotoStage photo={photo} {...nothing} onActivate={() => {}} onImage={() => {}} />, root));
  vi.mocked(drawPhoto).mockRejectedValueOnce(networkError());
  await failImage();
});

afterEach(() => render(null, root));

const address = () => root.querySelector("img")?.getAttribute("src");
const settle = () => act(async () => {});
async function failImage(): Promise<void> {
  act(() => void root.querySelector("img")?.dispatchEvent(new Event("error")));
  await settle();
}
async function becomes(next: PhotoState): Promise<void> {
  act(() => {
    state.value = next;
  });
  await settle();
}

it("shows the server's drawing when the photo is read at a second try", async () => {
  await becomes({ kind: "failed", error: networkError() });
  expect(root.textContent).toBe("scan.tif");
  await becomes({ kind: "reading" });
  await failImage();
  expect(address()).toBe("blob:scan");
  vi.mocked(drawPhoto).mockResolvedValueOnce(new Blob());
  await becomes(READ);
  expect(address()).toBe("blob:drawn");
});

it("says why there is no drawing of a photo that was read, and asks again when told to", async () => {
  vi.mocked(drawPhoto).mockRejectedValueOnce(readError(503, ""));
  await becomes(READ);
  expect(root.querySelector('[role="alert"]')?.textContent).toContain("503");
  vi.mocked(drawPhoto).mockResolvedValueOnce(new Blob());
  act(() => root.querySelector("button")?.click());
  await settle();
  expect([address(), root.querySelector('[role="alert"]')]).toEqual(["blob:drawn", null]);
});
