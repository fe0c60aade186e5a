/** What fervid is, and where to go. */

import { useEffect, useState } from "preact/hooks";
import { fetchHealth } from "../../api/client";
import type { Health } from "../../api/types";
import { PAGES } from "../../app/pages";
import { EMOJI, EMOTIONS } from "../../generated/vocabulary";
import { capitalise } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import "./home.css";

export default function HomePage() {
  const [health, setHealth] = useState<Health | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    fetchHealth(abort.signal).then(setHealth, () => undefined); // only the small print below needs it
    return () => abort.abort();
  }, []);

  return (
    <div class="page home">
      <header class="home-hero">
        <div class="page-heading">
          <h1>Reads facial expressions, and says when it is unsure</h1>
          <p class="soft home-lead">
            fervid finds every face and tells how its expression reads: a calibrated share for each of seven,
            or “uncertain”. It runs on the machine that serves this page. No cloud, no account.
          </p>
        </div>
        <ul class="home-faces" aria-label="The seven expressions">
          {EMOTIONS.map((emotion) => (
            <li key={emotion}>
              <img src={EMOJI[emotion]} alt="" width="52" height="52" />
              <span>{capitalise(emotion)}</span>
            </li>
          ))}
        </ul>
      </header>

      <ul class="home-doors">
        {PAGES.map(
          (page) =>
            page.door && (
              <li key={page.title}>
                <a class="home-door card" href={page.patterns[0]}>
                  <span class="home-door-mark">
                    <Icon name={page.door.icon} />
                  </span>
                  <h2>{page.nav}</h2>
                  <p class="soft">{page.door.text}</p>
                </a>
              </li>
            ),
        )}
      </ul>

      <section class="home-notes" aria-label="Good to know">
        <div>
          <h2>What it can tell</h2>
          <p class="soft">
            What a face shows, not what a person feels. People who judge faces by eye often disagree; so every
            answer comes with its odds, and faces that cannot be read are called uncertain.
          </p>
        </div>
        <div>
          <h2>Where pictures go</h2>
          <p class="soft">
            To the server that this page came from, and nowhere else. Photos are read in memory and forgotten;
            films go once they are read, their results when you say so or their time is up. Live reads your
            camera inside the page, and asks if your browser cannot.
          </p>
        </div>
        <div>
          <h2>Where it must not be used</h2>
          <p class="soft">
            In the European Union, inferring emotions of people at work or in education is a prohibited
            practice (AI Act, Article 5(1)(f)), except for medical or safety reasons.
          </p>
        </div>
      </section>

      {health && (
        <p class="soft home-facts numbers">
          fervid {health.version} · photos {health.model} · films {health.video_model} · detector{" "}
          {health.detector}
        </p>
      )}
    </div>
  );
}
