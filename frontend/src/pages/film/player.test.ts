import { expect, it, vi } from "vitest";
import { explainPlayer } from "./player";

const FILM = {
  name: "annotated.mp4",
  media_type: "video/mp4",
  bytes: 9,
  url: "/api/v1/videos/f1/files/annotated.mp4",
};
const [NETWORK, DECODE, SRC_NOT_SUPPORTED] = [2, 3, 4];

function answer(status: number, body = "x"): void {
  vi.stubGlobal("fetch", async () => new Response(body, { status }));
}

it("calls a film unplayable only when it is there and the player refuses it", async () => {
  answer(206);
  expect(await explainPlayer(FILM, DECODE)).toBe("unplayable");
  expect(await explainPlayer(FILM, SRC_NOT_SUPPORTED)).toBe("unplayable");
  expect(await explainPlayer(FILM, NETWORK)).toMatchObject({
    message: expect.stringContaining("connection was lost"),
  });
  expect(await explainPlayer(FILM, undefined)).not.toBe("unplayable");
});

it("says that the film has gone, in the server's words", async () => {
  answer(
    404,
    JSON.stringify({ error: { code: "web.not_found", message: "there is no such film", advice: "" } }),
  );
  expect(await explainPlayer(FILM, SRC_NOT_SUPPORTED)).toMatchObject({ message: "there is no such film" });
});

it("says that the server does not answer", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed")));
  expect(await explainPlayer(FILM, SRC_NOT_SUPPORTED)).toMatchObject({
    message: "The server does not answer",
  });
});
