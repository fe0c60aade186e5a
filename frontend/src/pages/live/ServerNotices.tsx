/** When the browser cannot read by itself: pictures go to the server, and the page says so. */

import { Icon } from "../../ui/Icon";
import type { LiveSession } from "./session";

export function RemoteNotice({ reason }: { reason: string | null }) {
  return (
    <div class="notice notice-caution" role="status">
      <Icon name="alert" />
      <div class="notice-text">
        <p class="notice-title">Pictures now go to this server, {location.host}.</p>
        <p>
          It reads them and keeps none. This browser cannot run the networks
          {reason === null ? "" : `: ${reason}`}.
        </p>
      </div>
    </div>
  );
}

export function ServerOffer({ session }: { session: LiveSession }) {
  return (
    <div class="notice notice-caution" role="alert">
      <Icon name="alert" />
      <div class="notice-text">
        <p class="notice-title">This browser cannot run the networks: {session.obstacle.value}.</p>
        <p>
          The server can read the pictures instead. They would then go to <code>{location.host}</code>, which
          keeps none of them.
        </p>
        <div class="button-row">
          <button type="button" class="button button-primary" onClick={() => session.useServer()}>
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
