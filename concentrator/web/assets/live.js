// Keeps the page current over one live connection. Without script the page is
// complete as it was rendered; with it, it says so when what it shows is stale.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const text = (id, value) => { if ($(id).textContent !== String(value)) $(id).textContent = value; };
  const stamp = (iso) => iso ? iso.slice(0, 16).replace("T", " ") : "never";
  const meters = new Map(), rows = new Map();
  let last = Date.now(), wait = 1000, heard = "", expected = 0, stamped = "";

  function age(now, iso) {
    if (!iso) return "never";
    const s = Math.round((Date.parse(now) - Date.parse(iso)) / 1000);
    if (s < 2) return "now";
    if (s < 120) return s + " s ago";
    if (s < 7200) return Math.floor(s / 60) + " min ago";
    if (s < 172800) return Math.floor(s / 3600) + " h ago";
    return Math.floor(s / 86400) + " days ago";
  }

  function bad(id, isBad) { $(id).closest(".tile").dataset.bad = isBad; }

  function show(s) {
    text("verdict", s.verdict);
    $("verdict").dataset.healthy = s.healthy;
    text("hint", s.hint || "");
    text("t-line", s.line.state); text("t-line-sub", s.line.detail || s.line.port); bad("t-line", !s.line.ready);
    text("t-meters", s.meters.registered);
    text("t-meters-sub", "registered of " + (s.meters.expected || s.meters.known) + ", " + s.meters.lost + " lost");
    const u = s.uplink;
    text("t-center", !u.enabled ? "off" : u.connected ? "connected" : "no link");
    text("t-center-sub", !u.enabled ? "none is configured" : u.error || "receipt " + age(s.now, u.last_receipt)); bad("t-center", u.enabled && !u.connected);
    text("t-outbox", s.outbox.readings); text("t-outbox-sub", s.outbox.readings ? "readings wait, oldest " + age(s.now, s.outbox.oldest) : "nothing waits");
    text("t-stored", s.storage.readings); bad("t-stored", Boolean(s.storage.error));
    const c = s.cellular;
    $("cell").hidden = !c;
    if (c) { text("t-cell", c.signal_dbm == null ? c.state : c.signal_dbm + " dBm"); text("t-cell-sub", c.detail || c.operator || c.state); }
    round(s.round);
  }

  function round(r) {
    text("r-title", "Round " + r.number + ": " + r.phase + (r.current ? " " + r.current : ""));
    text("r-text", r.done + " of " + r.total + " meters read, " + r.failed + " given up" +
      (r.ends_at && !r.finished ? ", ends about " + r.ends_at.slice(11, 16) + " UTC" : ""));
    $("r-done").parentNode.setAttribute("viewBox", "0 0 " + Math.max(r.total, 1) + " 1");
    $("r-done").setAttribute("width", r.done);
    $("r-failed").setAttribute("x", r.done);
    $("r-failed").setAttribute("width", r.failed);
    $("r-bar").setAttribute("aria-valuenow", r.done);
    $("r-bar").setAttribute("aria-valuemax", r.total);
  }

  // kind is how a meter is marked: what is wrong first.
  function kind(m) {
    if (m.state === "lost") return "lost";
    if (m.outcome === "refused") return "refused";
    if (m.outcome && m.outcome !== "answered") return "silent";
    return m.last_reading ? "ok" : "new";
  }

  function row(m) {
    const tr = document.createElement("tr");
    tr.dataset.state = m.state;
    tr.dataset.outcome = m.outcome || "";
    const head = document.createElement("th"), b = document.createElement("b");
    head.scope = "row";
    b.textContent = m.title;
    head.append(b, " " + (m.name || ""));
    tr.append(head);
    const cells = [m.state, m.address || "", m.credit, m.up + " / " + m.down,
      m.snr_db == null ? "" : Math.round(m.snr_db), stamp(m.last_reading), m.detail || ""];
    cells.forEach((value, i) => {
      const td = tr.insertCell();
      td.textContent = value;
      if (i >= 2 && i <= 4) td.className = "n";
    });
    return tr;
  }

  // take puts changed meters into the table, which stays ordered by title.
  function take(changed) {
    const first = meters.size === 0;
    for (const m of changed) {
      meters.set(m.title, m);
      const tr = row(m), old = rows.get(m.title);
      rows.set(m.title, tr);
      if (first) continue;
      if (old) { old.replaceWith(tr); continue; }
      const next = [...rows.keys()].filter((t) => t > m.title).sort()[0];
      $("rows").insertBefore(tr, next ? rows.get(next) : null);
    }
    if (first) $("rows").replaceChildren(...rows.values());
    filter();
    reach();
  }

  // reach draws one mark for each meter, a line for each credit.
  function reach() {
    const byCredit = Array.from({ length: 8 }, () => []);
    for (const m of meters.values()) byCredit[Math.min(m.credit, 7)].push(m);
    const far = byCredit.findLastIndex((list) => list.length > 0);
    const lines = byCredit.slice(0, far + 1).map((list, credit) => {
      const line = document.createElement("div"), name = document.createElement("span"), marks = document.createElement("div");
      line.className = "line";
      name.textContent = credit;
      marks.className = "marks";
      for (const m of list) {
        const i = document.createElement("i");
        i.dataset.s = kind(m);
        i.title = m.title + ", " + (m.detail || kind(m)) + (m.snr_db == null ? "" : ", " + Math.round(m.snr_db) + " dB");
        i.dataset.title = m.title;
        marks.append(i);
      }
      const n = document.createElement("b");
      n.textContent = list.length;
      line.append(name, marks, n);
      return line;
    });
    $("reach").replaceChildren(...lines);
  }

  function filter() {
    const want = $("find").value.toLowerCase();
    for (const tr of $("rows").rows) tr.hidden = want !== "" && !tr.textContent.toLowerCase().includes(want);
  }

  async function events() {
    const res = await fetch("/api/v1/events?limit=12");
    if (!res.ok) return;
    const body = await res.text();
    if (body === stamped) return;
    stamped = body;
    const items = JSON.parse(body).map((e) => {
      const li = document.createElement("li"), time = document.createElement("time"), b = document.createElement("b");
      time.dateTime = e.time;
      time.textContent = e.time.slice(5, 16).replace("T", " ");
      b.textContent = e.code;
      li.append(time, " ", b, " " + (e.meter || "") + " " + e.text);
      return li;
    });
    if (items.length) $("events").replaceChildren(...items);
  }

  function connect() {
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    const socket = new WebSocket(scheme + location.host + "/api/v1/live");
    expected = 1;
    socket.onmessage = (event) => {
      const m = JSON.parse(event.data);
      if (m.seq !== expected++) { socket.close(); return; } // a gap: begin anew
      if (m.seq === 1) { meters.clear(); rows.clear(); }
      last = Date.now(); wait = 1000; heard = m.status.now.slice(11, 19);
      show(m.status);
      if (m.meters) take(m.meters);
    };
    socket.onclose = () => { setTimeout(connect, wait); wait = Math.min(wait * 2, 15000); };
  }

  setInterval(() => {
    const stale = Date.now() - last > 10000;
    $("link").dataset.stale = stale;
    if (heard) text("link", (stale ? "stale since " : "live, ") + heard + " UTC");
  }, 1000);
  setInterval(() => { if (!document.hidden) events().catch(() => {}); }, 5000);
  $("find").addEventListener("input", filter);
  $("reach").addEventListener("click", (event) => {
    const title = event.target.dataset.title;
    if (title) { $("find").value = title; filter(); $("meters").scrollIntoView(); }
  });
  connect();
})();
