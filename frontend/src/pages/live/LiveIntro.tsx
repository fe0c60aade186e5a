/** Before the camera is asked for: what will happen, and what stands in the way. */

import { Icon } from "../../ui/Icon";

export function LiveIntro({ onStart }: { onStart: () => void }) {
  if (!window.isSecureContext) return <InsecureNotice />;
  if (!navigator.mediaDevices?.getUserMedia) {
    return (
      <div class="notice notice-caution">
        <Icon name="alert" />
        <div class="notice-text">
          <p class="notice-title">This browser gives no camera to pages.</p>
          <p>Use a current Firefox, Chrome, Edge or Safari.</p>
        </div>
      </div>
    );
  }
  return (
    <section class="live-intro card" aria-labelledby="live-intro-title">
      <span class="drop-zone-mark">
        <Icon name="camera" />
      </span>
      <h2 id="live-intro-title">This page reads the picture. Nothing leaves it.</h2>
      <ul class="live-promises">
        <li>
          <Icon name="shield" /> The networks are fetched once and run in your browser. No picture is sent,
          none is stored.
        </li>
        <li>
          <Icon name="check" /> Faces get numbers by how they move. Nobody is recognised.
        </li>
        <li>
          <Icon name="info" /> If the browser cannot run them, the server can. The page asks before it sends
          anything.
        </li>
      </ul>
      <button type="button" class="button button-primary" onClick={onStart}>
        <Icon name="camera" /> Start the camera
      </button>
      <p class="soft">The browser asks whether this page may use it.</p>
    </section>
  );
}

function InsecureNotice() {
  const port = location.port === "" ? "" : `:${location.port}`;
  return (
    <div class="notice notice-caution">
      <Icon name="alert" />
      <div class="notice-text">
        <p class="notice-title">Browsers give a camera only to secure pages.</p>
        <p>
          This page came over an unencrypted connection from <code>{location.host}</code>, where others on the
          network could change it.
        </p>
        <ul class="live-advice">
          <li>
            On the server's own machine, open <code>{`http://localhost${port}/live`}</code>.
          </li>
          <li>
            For other devices, start the server with a certificate:{" "}
            <code>fervid serve --ssl-certfile … --ssl-keyfile …</code>, or put it behind a proxy that has one.
          </li>
        </ul>
      </div>
    </div>
  );
}
