/** Numbers as people read them. */

/** 0.683 → `68 %`; shares that are neither nothing nor everything do not look as if they were. */
export function formatPercent(share: number): string {
  const percent = Math.round(100 * share);
  if (percent === 0 && share > 0.0005) return "< 1 %";
  if (percent === 100 && share < 0.9995) return "> 99 %";
  return `${percent} %`;
}

/** 5 → `0:05`, 3725.4 → `1:02:05`; with `decimals` places of a second. */
export function formatClock(seconds: number, decimals = 0): string {
  const scale = 10 ** decimals;
  const ticks = Math.round(Math.max(0, seconds) * scale);
  const whole = Math.floor(ticks / scale);
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = decimals > 0 ? `.${String(ticks % scale).padStart(decimals, "0")}` : "";
  return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}${rest}`;
}

/** 75 → `1 min 15 s`: how long something takes. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 60)} h`;
}

/** How much longer something takes, no more exact than such figures are. */
export function formatTimeLeft(seconds: number): string {
  if (seconds < 5) return "a few seconds left";
  if (seconds < 60) return `about ${Math.ceil(seconds / 5) * 5} s left`;
  if (seconds < 3600) return `about ${Math.round(seconds / 60)} min left`;
  return `about ${formatDuration(Math.round(seconds / 300) * 300)} left`;
}

/** 5_632_118 → `5.6 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = "B";
  for (const next of units) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** `1 face`, `3 faces`. */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `happy` → `Happy`. */
export function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** With a capital and a full stop. */
export function asSentence(text: string): string {
  const sentence = capitalise(text);
  return /[.!?…]$/.test(sentence) ? sentence : `${sentence}.`;
}
