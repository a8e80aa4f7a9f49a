/** On a phone the channel fills the screen, with the panel below it: one button leads down and back up. */
export function createSwitch(button, channel, panel) {
  let below = false;
  new IntersectionObserver(([seen]) => {
    below = !seen.isIntersecting;
    button.textContent = below ? "Back to the channel ↑" : "Pictures and Apps ↓";
  }, { threshold: 0.3 }).observe(channel);
  button.addEventListener("click", () => {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const target = below ? channel : panel;
    target.focus({ preventScroll: true });
    target.scrollIntoView({ behavior: calm ? "auto" : "smooth" });
  });
}
