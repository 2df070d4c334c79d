/** The mark: a barn and its wing around one yard. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path className="logo-barn" d="M2 27V13.5L9.5 6 17 13.5V27Z" />
      <path className="logo-door" d="M6.5 27v-7.5h6V27Z" />
      <path className="logo-wing" d="M19 27V16.5h11V27Z" />
      <path className="logo-roof" d="M18.2 16.5 20.6 12h8l2.4 4.5Z" />
      <path className="logo-yard" d="M1 27h30v2H1Z" />
    </svg>
  );
}
