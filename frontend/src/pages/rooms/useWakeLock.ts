import { useEffect } from "preact/hooks";

/**
 * Keep the screen on: a phone that locks itself falls silent, and its crowd is not shown.
 *
 * Browsers give that to secure pages alone, and not when the battery is low; then the screen goes off as ever.
 */
export function useWakeLock(isOn: boolean): void {
  useEffect(() => {
    if (!isOn || !("wakeLock" in navigator)) return;
    let lock: WakeLockSentinel | null = null;
    let isWanted = true;
    const ask = async (): Promise<void> => {
      if (document.hidden) return;
      const given = await navigator.wakeLock.request("screen").catch(() => null);
      if (isWanted) lock = given;
      else void given?.release();
    };
    void ask();
    document.addEventListener("visibilitychange", ask); // a page that was hidden has lost it
    return () => {
      isWanted = false;
      document.removeEventListener("visibilitychange", ask);
      void lock?.release();
    };
  }, [isOn]);
}
