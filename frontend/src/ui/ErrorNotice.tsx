/** An error in the page: what was wrong, and what to do. */

import type { ComponentChildren } from "preact";
import { Icon } from "./Icon";

export interface ErrorText {
  message: string;
  advice?: string;
}

export function ErrorNotice({
  error,
  onRetry,
  children,
}: {
  error: ErrorText;
  onRetry?: (() => void) | undefined;
  children?: ComponentChildren;
}) {
  return (
    <div class="notice notice-error" role="alert">
      <Icon name="alert" />
      <div class="notice-text">
        <p class="notice-title">{endSentence(error.message)}</p>
        {error.advice && <p>{error.advice}</p>}
        {(onRetry || children) && (
          <div class="button-row">
            {onRetry && (
              <button type="button" class="button" onClick={onRetry}>
                Try again
              </button>
            )}
            {children}
          </div>
        )}
      </div>
    </div>
  );
}

function endSentence(text: string): string {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(sentence) ? sentence : `${sentence}.`;
}
