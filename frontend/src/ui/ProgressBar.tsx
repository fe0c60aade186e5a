/** How far something is. */

export function ProgressBar({ value, label }: { value: number; label: string }) {
  return (
    <progress class="progress" max={1} value={value} aria-label={label}>
      {Math.round(100 * value)} %
    </progress>
  );
}
