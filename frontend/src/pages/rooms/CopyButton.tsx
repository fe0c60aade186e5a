/** Puts a text on the clipboard and says so. */

import { useState } from "preact/hooks";
import { announce } from "../../ui/announce";
import { Icon } from "../../ui/Icon";
import { RoomIcon } from "./RoomIcon";

export function CopyButton({
  text,
  label,
  isPrimary = false,
  onFailure,
}: {
  text: string;
  label: string;
  isPrimary?: boolean;
  /** To show the text where it stands nowhere yet: it is what people are then told to select. */
  onFailure?: () => void;
}) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text); // missing where the page is not secure
      setState("copied");
      announce("Copied");
    } catch {
      setState("failed");
      onFailure?.();
      announce("The browser does not let this page copy. Select the text and copy it yourself.");
    }
    setTimeout(() => setState("idle"), 3000);
  };
  const words = { idle: label, copied: "Copied", failed: "Select it and copy" }[state];
  return (
    <button type="button" class={`button${isPrimary ? " button-primary" : ""}`} onClick={copy}>
      {state === "copied" ? <Icon name="check" /> : <RoomIcon name="copy" />} {words}
    </button>
  );
}
