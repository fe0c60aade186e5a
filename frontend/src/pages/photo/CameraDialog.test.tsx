// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it, vi } from "vitest";
import { openCamera } from "../../ui/camera";
import { CameraDialog } from "./CameraDialog";

vi.mock("../../ui/camera");

it("takes one picture of two clicks, and closes as a dialog does, which gives the focus back", async () => {
  const stream = Object.assign(new MediaStream(), { getVideoTracks: () => [] });
  vi.mocked(openCamera).mockResolvedValue(stream);
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(null);
  const finish: BlobCallback[] = [];
  vi.spyOn(HTMLCanvasElement.prototype, "toBlob").mockImplementation((done) => void finish.push(done));
  const close = vi.spyOn(HTMLDialogElement.prototype, "close");
  const [onPicture, onClose] = [vi.fn(), vi.fn()];
  const root = document.body;
  await act(async () => render(<CameraDialog onPicture={onPicture} onClose={onClose} />, root));
  act(() => void root.querySelector("video")?.dispatchEvent(new Event("loadeddata")));
  const button = root.querySelector<HTMLElement>(".button-primary");
  button?.click();
  button?.click();
  await act(async () => {
    for (const done of finish) done(new Blob(["picture"]));
  });
  expect(onPicture).toHaveBeenCalledOnce();
  expect(close).toHaveBeenCalledOnce();
  expect(onClose).toHaveBeenCalledOnce();
  render(null, root);
});
