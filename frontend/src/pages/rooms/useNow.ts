import { useEffect, useState } from "preact/hooks";

/** The time, ms since 1970, as often as asked; it stands still while `isOn` is false. */
export function useNow(everyMs = 1000, isOn = true): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!isOn) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, isOn]);
  return now;
}
