/** When the browser cannot read by itself: pictures go to the server, and the page says so. */

import { asSentence } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import type { LiveSession, Obstacle } from "./session";

export function RemoteNotice({ obstacle }: { obstacle: Obstacle | null }) {
  return (
    <div class="notice notice-caution" role="status">
      <Icon name="alert" />
      <div class="notice-text">
        <p class="notice-title">Pictures now go to this server, {location.host}.</p>
        <p>It reads them and keeps none. {obstacle && asSentence(obstacle.message)}</p>
      </div>
    </div>
  );
}

export function ServerOffer({ session }: { session: LiveSession }) {
  const obstacle = session.obstacle.value;
  if (obstacle === null) return null;
  return (
    <div class="notice notice-caution" role="alert">
      <Icon name="alert" />
      <div class="notice-text">
        <p class="notice-title">{asSentence(obstacle.message)}</p>
        {obstacle.advice && <p>{obstacle.advice}</p>}
        <p>
          The server can read the pictures instead. They would then go to <code>{location.host}</code>, which
          keeps none of them.
        </p>
        <div class="button-row">
          {obstacle.isPassing && (
            <button type="button" class="button button-primary" onClick={() => session.retryNetworks()}>
              Try again
            </button>
          )}
          <button
            type="button"
            class={obstacle.isPassing ? "button" : "button button-primary"}
            onClick={() => session.useServer()}
          >
            Send pictures to the server
          </button>
          <button type="button" class="button" onClick={() => session.stop()}>
            Stop the camera
          </button>
        </div>
      </div>
    </div>
  );
}
