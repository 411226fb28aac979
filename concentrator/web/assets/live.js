// Keeps the page current over one live connection. Without script the page is
// complete as it was rendered; with it, it says so when what it shows is stale.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const text = (id, value) => { $(id).textContent = value; };
  const stamp = (iso) => iso ? iso.slice(0, 16).replace("T", " ") : "never";
  let last = Date.now(), wait = 1000, heard = "";

  function age(now, iso) {
    if (!iso) return "never";
    const s = Math.round((Date.parse(now) - Date.parse(iso)) / 1000);
    if (s < 2) return "now";
    if (s < 120) return s + " s ago";
    if (s < 7200) return Math.floor(s / 60) + " min ago";
    return Math.floor(s / 3600) + " h ago";
  }

  function bad(id, isBad) { $(id).closest(".tile").dataset.bad = isBad; }

  function show(s) {
    text("verdict", s.verdict);
    $("verdict").dataset.healthy = s.healthy;
    text("hint", s.hint || "");
    text("t-line", s.line.state); text("t-line-sub", s.line.detail || s.line.port); bad("t-line", !s.line.ready);
    text("t-meters", s.meters.registered); text("t-meters-sub", "registered of " + s.meters.known + " known");
    const u = s.uplink;
    text("t-center", !u.enabled ? "off" : u.connected ? "connected" : "no link");
    text("t-center-sub", u.error || "receipt " + age(s.now, u.last_receipt)); bad("t-center", u.enabled && !u.connected);
    text("t-outbox", s.outbox.readings); text("t-stored", s.storage.readings);
    round(s.round);
  }

  function round(r) {
    const total = Math.max(r.total, 1);
    text("r-title", "Round " + r.number + ": " + r.phase + (r.current ? " " + r.current : ""));
    text("r-text", r.done + " of " + r.total + " meters read, " + r.failed + " given up" +
      (r.ends_at && !r.finished ? ", ends about " + r.ends_at.slice(11, 16) + " UTC" : ""));
    $("r-done").setAttribute("width", 1000 * r.done / total);
    $("r-failed").setAttribute("x", 1000 * r.done / total);
    $("r-failed").setAttribute("width", 1000 * r.failed / total);
    $("r-bar").setAttribute("aria-valuenow", r.done);
    $("r-bar").setAttribute("aria-valuemax", r.total);
  }

  function row(m) {
    const tr = document.createElement("tr");
    tr.dataset.state = m.state;
    tr.dataset.outcome = m.outcome || "";
    const cells = [null, m.state, m.address || "", m.phase || "", m.credit, m.up + " / " + m.down,
      m.snr_db == null ? "" : Math.round(m.snr_db), stamp(m.last_reading), m.detail || ""];
    cells.forEach((value, i) => {
      const td = tr.insertCell();
      if (i === 0) {
        const b = document.createElement("b");
        b.textContent = m.title;
        td.append(b, " " + (m.name || ""));
      } else {
        td.textContent = value;
      }
      if (i >= 4 && i <= 6) td.className = "n";
    });
    return tr;
  }

  function filter() {
    const want = $("find").value.toLowerCase();
    for (const tr of $("rows").rows) tr.hidden = want !== "" && !tr.textContent.toLowerCase().includes(want);
  }

  function connect() {
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    const socket = new WebSocket(scheme + location.host + "/api/v1/live");
    socket.onmessage = (event) => {
      const m = JSON.parse(event.data);
      last = Date.now(); wait = 1000; heard = m.status.now.slice(11, 19);
      show(m.status);
      if (m.meters) { $("rows").replaceChildren(...m.meters.map(row)); filter(); }
    };
    socket.onclose = () => { setTimeout(connect, wait); wait = Math.min(wait * 2, 15000); };
  }

  setInterval(() => {
    const stale = Date.now() - last > 30000;
    $("link").dataset.stale = stale;
    if (heard) text("link", (stale ? "stale since " : "live, ") + heard + " UTC");
  }, 1000);
  $("find").addEventListener("input", filter);
  connect();
})();
