/** The mark: two ends and the line between them. */
export function Logo({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" role="img" aria-label="Longwire">
      <rect width="32" height="32" rx="8" fill="var(--lw-logo-ground, #1b1917)" />
      <path
        d="M6 10v7.2c0 2.7 1.6 4.3 4.1 4.3 5.6 0 6.2-11 11.8-11 2.5 0 4.1 1.6 4.1 4.3V22"
        fill="none"
        stroke="#e58a57"
        strokeWidth="2.6"
        strokeLinecap="round"
      />
      <circle cx="6" cy="9" r="2.4" fill="#f6f3ef" />
      <circle cx="26" cy="23" r="2.4" fill="#f6f3ef" />
    </svg>
  );
}
