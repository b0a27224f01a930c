// What the page does beyond being read. Everything is built from nodes and text: no name can become markup.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const whole = (value) => value.toLocaleString("en-US");
  const percent = (part, all) => (all ? `${(100 * part / all).toFixed(1)} %` : "–");

  function node(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  // ---- dark and light
  const theme = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light theme" : "Dark theme"; };
  theme.hidden = false;
  theme.parentElement.classList.add("has-theme");
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();

  // ---- tables: sorted by a column, filtered by a text
  const collator = new Intl.Collator("en", { numeric: true });
  const valueOf = (cell) => {
    const value = parseFloat(cell.dataset.value ?? cell.textContent.replace(/[,\s]/g, ""));
    return Number.isNaN(value) ? -Infinity : value;
  };

  function sortRows(table) {
    const head = table.tHead.querySelector("th[aria-sort]");
    if (!head) return;
    const sign = head.getAttribute("aria-sort") === "ascending" ? 1 : -1;
    const column = head.cellIndex;
    const isNumber = head.classList.contains("n");
    const rows = [...table.tBodies[0].rows].map((row, place) => {
      row.place ??= place;
      return { row, key: isNumber ? valueOf(row.cells[column]) : row.cells[column].textContent };
    });
    const compare = isNumber ? (a, b) => a.key - b.key || 0 : (a, b) => collator.compare(a.key, b.key);
    rows.sort((a, b) => sign * compare(a, b) || a.row.place - b.row.place);
    table.tBodies[0].append(...rows.map(({ row }) => row));
  }

  function makeSortable(table) {
    for (const head of table.tHead.rows[0].cells) {
      const button = node("button", { type: "button" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const first = head.classList.contains("n") ? "descending" : "ascending";
        const other = first === "descending" ? "ascending" : "descending";
        const next = head.getAttribute("aria-sort") === first ? other : first;
        for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", next);
        sortRows(table);
      });
    }
  }

  function makeFilter(box) {
    const table = byId(box.dataset.table);
    const input = box.querySelector("input");
    const count = box.querySelector("output");
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        shown += !row.hidden;
      }
      count.textContent = wanted ? `${whole(shown)} of ${whole(table.tBodies[0].rows.length)}` : "";
    });
    box.hidden = false;
  }

  // ---- the pruning rate
  const svg = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  function drawn(picture, label) {
    const [width, height, contours, source] = picture;
    const shape = svg("svg", {
      viewBox: `0 0 ${width} ${height}`, class: source ? "picture" : "picture blank", role: "img", "aria-label": label,
    });
    shape.append(source ? svg("image", { href: source, width, height }) : svg("rect", { width, height, class: "canvas" }));
    shape.append(svg("path", { d: contours, class: "halo" }), svg("path", { d: contours, class: "contour" }));
    return shape;
  }

  function makeSlider(panel, data) {
    const range = byId("rate");
    const number = byId("rate-number");
    const table = byId("remaining");
    const cursor = byId("cursor");
    const top = data.classes.map(([, counts]) => counts[0]);
    const kept = data.classes.map(([, counts]) => {  // from how many go at each step to how many are there
      let there = counts[0];
      return counts.map((gone, i) => (there -= i ? gone : 0));
    });
    const instances = data.images.map((_, rate) => kept.reduce((sum, each) => sum + each[rate], 0));
    const present = top.filter((count) => count > 0).length;

    const rows = data.classes.map(([name], c) => {
      const bar = node("i");
      const cells = { left: node("td", { class: "n" }), share: node("td", { class: "n" }) };
      const text = node("span");
      cells.share.append(text, node("span", { class: "share", "aria-hidden": "true" }, bar));
      const row = node("tr", {}, node("th", { scope: "row" }, node("bdi", {}, name)),
        node("td", { class: "n" }, whole(top[c])), cells.left, cells.share);
      return { row, bar, text, ...cells };
    });
    table.tBodies[0].append(...rows.map(({ row }) => row));

    function showEdge(list, from, to) {
      const items = [];
      for (let rank = Math.max(from, 0); rank < to; rank += 1) {
        const image = data.edges[rank];
        if (!image) continue;
        const [id, file, score, count, picture] = image;
        const name = node("bdi", {}, file || String(id));
        const caption = node("span", { class: "caption" }, node("b", {}, `${whole(rank + 1)}.`), " ", name,
          node("br"), `score ${score}`, node("br"), `${whole(count)} ${count === 1 ? "instance" : "instances"}`);
        const label = `${file || `Image ${id}`}, rank ${whole(rank + 1)}, with the contours of its annotations`;
        items.push(node("li", {}, ...(picture ? [drawn(picture, label)] : []), caption));
      }
      list.replaceChildren(...(items.length ? items : [node("li", { class: "muted small" }, "none")]));
    }

    function show(rate) {
      const images = data.images[rate];
      const lost = [];
      let classes = 0;
      rows.forEach(({ row, bar, text, left, share }, c) => {
        const count = kept[c][rate];
        const part = top[c] ? count / top[c] : 0;
        left.textContent = whole(count);
        text.textContent = percent(count, top[c]);
        share.dataset.value = top[c] ? part : -1;
        bar.style.setProperty("--share", part);
        row.classList.toggle("gone", count === 0);
        classes += count > 0;
        if (top[c] && !count) lost.push(data.classes[c][0]);
      });
      const put = (id, count, all) => {
        byId(id).replaceChildren(whole(count), " ", node("small", {}, `of ${whole(all)}, ${percent(count, all)}`));
      };
      put("images-left", images, data.candidates);
      put("instances-left", instances[rate], instances[0]);
      byId("classes-left").replaceChildren(whole(classes), " ", node("small", {}, `of ${whole(present)}`));
      const vanished = byId("vanished");
      vanished.replaceChildren();
      if (lost.length === 0) vanished.append("No class vanishes.");
      else {
        vanished.append(`${whole(lost.length)} ${lost.length === 1 ? "class vanishes" : "classes vanish"}: `);
        lost.slice(0, 12).forEach((name, i) => vanished.append(i ? ", " : "", node("bdi", {}, name)));
        vanished.append(lost.length > 12 ? `, and ${whole(lost.length - 12)} more.` : ".");
      }
      showEdge(byId("last-kept"), images - data.edge, images);
      showEdge(byId("first-gone"), images, images + data.edge);
      cursor.removeAttribute("hidden");
      cursor.setAttribute("transform", `translate(${(rate * cursor.dataset.step).toFixed(2)} 0)`);
      range.setAttribute("aria-valuetext", `${rate} % pruned`);
      sortRows(table);
    }

    // Said aloud when the hand rests, not at each step of a drag.
    let timer = 0;
    function announce(rate) {
      clearTimeout(timer);
      timer = setTimeout(() => {
        byId("rate-said").textContent =
          `At ${rate} per cent, ${whole(data.images[rate])} images and ${whole(instances[rate])} instances remain. ${byId("vanished").textContent}`;
      }, 400);
    }

    let due = 0;
    function set(rate) {
      range.value = rate;
      if (document.activeElement !== number) number.value = rate;
      cancelAnimationFrame(due);
      due = requestAnimationFrame(() => show(rate));
      announce(rate);
    }
    range.addEventListener("input", () => set(Number(range.value)));
    number.addEventListener("input", () => {
      const rate = Math.round(Number(number.value));
      if (number.value !== "" && rate >= 0 && rate <= 99) set(rate);
    });
    number.addEventListener("change", () => { number.value = range.value; });
    panel.hidden = byId("classes-at-rate").hidden = false;
    number.value = range.value;
    show(Number(range.value));
  }

  const panel = byId("pruning-panel");
  if (panel) makeSlider(panel, JSON.parse(byId("pruning-data").textContent));
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  document.querySelectorAll(".filter").forEach(makeFilter);
})();
