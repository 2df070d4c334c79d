const status = document.getElementById("status");
const look = async () => {
  try {
    const answer = await fetch("/.steading/state", { headers: { accept: "application/json" }, cache: "no-store" });
    const state = await answer.json();
    if (!answer.ok || state.state !== "starting") return location.reload();
    if (state.message && status.textContent !== state.message) status.textContent = state.message;
  } catch { /* The network had a bad moment: look again. */ }
  setTimeout(look, 1000);
};
setTimeout(look, 1000);
