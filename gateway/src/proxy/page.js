const status = document.getElementById("status");
// The state that this page tells of: in any other there is something else to see.
const told = document.querySelector("main").dataset.state;
const pause = told === "starting" ? 1000 : 3000;
const look = async () => {
  try {
    const answer = await fetch("/.steading/state", { headers: { accept: "application/json" }, cache: "no-store" });
    const state = await answer.json();
    if (!answer.ok || state.state !== told) return location.reload();
    if (told === "starting" && state.message && status.textContent !== state.message) status.textContent = state.message;
  } catch { /* The network had a bad moment: look again. */ }
  setTimeout(look, pause);
};
setTimeout(look, pause);
