// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it } from "vitest";
import { navigate } from "./router";
import { Shell } from "./Shell";

it("keeps the focus in the page when what has it goes", async () => {
  navigate("/nowhere");
  act(() => render(<Shell />, document.body));
  const button = document.createElement("button");
  document.querySelector("main section")?.append(button);
  button.focus();
  button.remove();
  await act(async () => {});
  expect(document.activeElement?.textContent).toBe("There is no such page");
  render(null, document.body);
});
