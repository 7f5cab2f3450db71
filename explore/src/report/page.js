"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { columns, rows, inks, ramp } = data;
  const names = columns.map((column) => column.name);
  const at = new Map(names.map((name, index) => [name, index]));
  const numeric = columns.map((column) => column.kind !== "text");
  const element = (id) => document.getElementById(id);
  const PAGE = 100;
  const SVG = "http://www.w3.org/2000/svg";

  let kept = rows.map((_, row) => row);
  let sort = { column: null, down: false };
  let page = 0;
  let chosen = null;
  let marks = new Map();

  // Values.

  function shown(row, column) {
    const value = rows[row][column];
    if (value === null) return "";
    const text = columns[column].kind === "real" ? String(Number(value.toPrecision(5))) : String(value);
    return estimated(row, column) ? "≈ " + text : text;
  }

  function estimated(row, column) {
    return columns[column].area && at.has("extrapolated") && rows[row][at.get("extrapolated")] === 1;
  }

  // Filters.

  /** The test of one column: `<= 4`, `2..4`, `!= mse`, `~ text`, `absent`, `present`, or a value. Throws a text. */
  function condition(column, text) {
    const name = names[column];
    if (/^absent$/i.test(text)) return (row) => rows[row][column] === null;
    if (/^present$/i.test(text)) return (row) => rows[row][column] !== null;
    const [, sign, rest] = /^(<=|>=|==|!=|<|>|=|~)?\s*(.*)$/s.exec(text);
    const value = rest.replace(/^"(.*)"$/s, "$1");
    if (value === "") throw `${name} ${text}: a value is missing`;
    const range = sign ? null : /^(-?[\d.]+?(?:e-?\d+)?)\s*\.\.\s*(-?[\d.]+(?:e-?\d+)?)$/i.exec(value);
    if (!numeric[column]) {
      const wanted = value.toLowerCase();
      const test = {
        "=": (is) => is === wanted,
        "==": (is) => is === wanted,
        "!=": (is) => is !== wanted,
        "~": (is) => is.includes(wanted),
      }[sign || "~"];
      if (!test) throw `${name} is text: it has =, != and ~, not ${sign}`;
      return (row) => rows[row][column] !== null && test(rows[row][column].toLowerCase());
    }
    const ends = range ? [Number(range[1]), Number(range[2])] : [Number(value)];
    if (ends.some(Number.isNaN)) throw `${name} ${text}: ${value} is not a number`;
    const [low, high] = ends;
    const test = range ? (is) => low <= is && is <= high : {
      "=": (is) => is === low,
      "==": (is) => is === low,
      "!=": (is) => is !== low,
      "<=": (is) => is <= low,
      ">=": (is) => is >= low,
      "<": (is) => is < low,
      ">": (is) => is > low,
    }[sign || "="];
    if (!test) throw `${name} is a number: it has no ${sign}`;
    return (row) => rows[row][column] !== null && test(rows[row][column]);
  }

  /** Terms between `and`, `&&` or commas, but not within double quotes. */
  function terms(text) {
    const parts = text.match(/"[^"]*"|,|&&|\s+|[^\s",&]+|./gs) || [];
    const found = [""];
    for (const part of parts) {
      if (part === "," || part === "&&" || part.toLowerCase() === "and") found.push("");
      else found[found.length - 1] += part;
    }
    return found.map((term) => term.trim()).filter((term) => term !== "");
  }

  function termTest(term) {
    const parts = /^([A-Za-z_][A-Za-z0-9_]*)\s*((?:<|>|=|!=|~|[-\d.]+\s*\.\.|absent$|present$).*)$/is.exec(term);
    if (parts) {
      const name = parts[1].toLowerCase();
      if (!at.has(name)) throw `no column ${parts[1]} differs between rows`;
      return condition(at.get(name), parts[2].trim());
    }
    const wanted = term.replace(/^"(.*)"$/s, "$1").toLowerCase();
    const texts = names.map((_, column) => column).filter((column) => !numeric[column]);
    return (row) => texts.some((column) => rows[row][column] !== null && rows[row][column].toLowerCase().includes(wanted));
  }

  function filter() {
    const tests = [];
    let problem = "";
    const attempt = (input, make) => {
      try {
        tests.push(...make());
        input.removeAttribute("aria-invalid");
      } catch (text) {
        if (typeof text !== "string") throw text;
        problem = problem || text;
        input.setAttribute("aria-invalid", "true");
      }
    };
    attempt(element("filter"), () => terms(element("filter").value).map(termTest));
    for (const input of document.querySelectorAll("#table thead input")) {
      const text = input.value.trim();
      attempt(input, () => (text === "" ? [] : [condition(Number(input.dataset.column), text)]));
    }
    element("problem").textContent = problem;
    if (problem !== "") return;
    kept = rows.map((_, row) => row).filter((row) => tests.every((test) => test(row)));
    order();
  }

  function order() {
    kept.sort((a, b) => a - b);
    const { column, down } = sort;
    if (column !== null) {
      kept.sort((a, b) => {
        const [x, y] = [rows[a][column], rows[b][column]];
        if (x === null || y === null) return (x === null) - (y === null);
        const least = x < y ? -1 : x > y ? 1 : 0;
        return down ? -least : least;
      });
    }
    page = 0;
    table();
    scatter();
  }

  // Table.

  function make(name, text, parent) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  const visible = () =>
    [...document.querySelectorAll("#columns input")].filter((box) => box.checked).map((box) => Number(box.value));

  function head() {
    const filters = new Map();
    for (const input of document.querySelectorAll("#table thead input")) filters.set(input.dataset.column, input.value);
    const thead = document.querySelector("#table thead");
    thead.replaceChildren();
    const [titles, inputs] = [make("tr", undefined, thead), make("tr", undefined, thead)];
    for (const column of visible()) {
      const { name, unit, meaning } = columns[column];
      const th = make("th", undefined, titles);
      th.scope = "col";
      th.dataset.column = column;
      const button = make("button", name, th);
      button.type = "button";
      button.title = meaning;
      if (unit !== "") make("small", unit, th);
      button.addEventListener("click", () => {
        if (sort.column !== column) sort = { column, down: false };
        else if (!sort.down) sort = { column, down: true };
        else sort = { column: null, down: false };
        sorted();
        order();
      });
      const input = make("input", undefined, make("td", undefined, inputs));
      input.dataset.column = column;
      input.value = filters.get(String(column)) || "";
      input.setAttribute("aria-label", "filter " + name);
      input.placeholder = numeric[column] ? "<= 4" : "text";
      input.addEventListener("input", filter);
    }
    sorted();
  }

  function sorted() {
    for (const th of document.querySelectorAll("#table thead th")) {
      const here = Number(th.dataset.column) === sort.column;
      th.setAttribute("aria-sort", !here ? "none" : sort.down ? "descending" : "ascending");
    }
  }

  function table(all) {
    const body = document.querySelector("#table tbody");
    body.replaceChildren();
    const pages = Math.max(1, Math.ceil(kept.length / PAGE));
    const part = all ? kept : kept.slice(page * PAGE, (page + 1) * PAGE);
    const cells = visible();
    for (const row of part) {
      const tr = make("tr", undefined, body);
      tr.dataset.row = row;
      tr.tabIndex = 0;
      tr.setAttribute("aria-selected", String(row === chosen));
      for (const column of cells) {
        const td = make("td", shown(row, column), tr);
        if (numeric[column]) td.className = "number";
        if (estimated(row, column)) td.title = "extrapolated";
      }
    }
    element("count").textContent = `${kept.length} of ${rows.length} rows`;
    element("page").textContent = `page ${page + 1} of ${pages}`;
    element("previous").disabled = page === 0;
    element("next").disabled = page + 1 >= pages;
  }

  function choose(row, reveal) {
    chosen = row === chosen && !reveal ? null : row;
    if (reveal) {
      const place = Math.floor(kept.indexOf(row) / PAGE);
      if (place !== page) {
        page = place;
        table();
      }
    }
    for (const tr of document.querySelectorAll("#table tbody tr")) {
      const here = Number(tr.dataset.row) === chosen;
      tr.setAttribute("aria-selected", String(here));
      if (here && reveal) tr.scrollIntoView({ block: "nearest" });
    }
    for (const [at, mark] of marks) mark.classList.toggle("chosen", at === chosen);
    about(chosen);
  }

  function about(row) {
    const parts = row === null ? [] : visible().map((column) => [names[column], shown(row, column)]);
    element("about-point").textContent =
      parts.filter(([, text]) => text !== "").map(([name, text]) => `${name} ${text}`).join(", ");
  }

  // Scatter plot.

  const FRAME = { left: 84, right: 940, top: 14, bottom: 440 };

  function draw(name, attributes, parent, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  function path(form, x, y, r) {
    const corners = [
      null,
      [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
      [[0, -1.3], [1.2, 0.8], [-1.2, 0.8]],
      [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
      [[0, 1.3], [-1.2, -0.8], [1.2, -0.8]],
    ][form];
    if (!corners) return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
    return "M" + corners.map(([dx, dy]) => `${(x + dx * r).toFixed(1)} ${(y + dy * r).toFixed(1)}`).join("L") + "z";
  }

  function scale(values, log, from, to) {
    let low = values.reduce((least, value) => Math.min(least, value));
    let high = values.reduce((most, value) => Math.max(most, value));
    if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 1, high + 1];
    const ticks = [];
    if (log) {
      for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade += 1)
        for (const multiple of [1, 2, 5]) ticks.push(multiple * 10 ** decade);
    } else {
      const rough = (high - low) / 6, power = 10 ** Math.floor(Math.log10(rough));
      const step = power * [1, 2, 5, 10].find((multiple) => multiple * power >= rough * 0.999);
      low = Math.floor(low / step + 1e-9) * step;
      high = Math.ceil(high / step - 1e-9) * step;
      for (let tick = low; tick <= high + step / 2; tick += step) ticks.push(tick);
    }
    const of = log ? Math.log : (value) => value;
    const share = (value) => (of(value) - of(low)) / (of(high) - of(low));
    const pixel = (value) => from + (0.03 + 0.94 * share(value)) * (to - from);
    return { pixel, ticks: ticks.filter((tick) => share(tick) > -1e-9 && share(tick) < 1 + 1e-9) };
  }

  function colours(column) {
    const values = rows.map((row) => (column === null ? null : row[column])).filter((value) => value !== null);
    const kinds = [...new Set(values)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    if (column !== null && numeric[column] && kinds.length > inks.length) {
      const [low, high] = [kinds[0], kinds[kinds.length - 1]];
      const of = (value) => ramp[Math.round(((value - low) / (high - low)) * (ramp.length - 1))];
      const key = kinds.length > 16 ? [low, (low + high) / 2, high] : kinds;
      return { of: (value) => ({ ink: value === null ? "#767676" : of(value), form: 0 }), key };
    }
    const of = (value) => {
      const place = kinds.indexOf(value);
      if (place < 0) return { ink: column === null ? inks[0] : "#767676", form: 0 };
      return { ink: inks[place % inks.length], form: place % 5 };
    };
    return { of, key: kinds.slice(0, 35) };
  }

  function scatter() {
    const svg = element("scatter");
    svg.replaceChildren();
    marks = new Map();
    const [x, y] = [Number(element("x").value), Number(element("y").value)];
    const by = element("colour").value === "" ? null : Number(element("colour").value);
    const [logX, logY] = [element("log-x").checked, element("log-y").checked];
    const has = (row, column, log) => rows[row][column] !== null && (!log || rows[row][column] > 0);
    const points = kept.filter((row) => has(row, x, logX) && has(row, y, logY));
    element("plotted").textContent =
      `${points.length} of ${kept.length} rows have ${names[x]} and ${names[y]}` + (logX || logY ? " above 0 where the axis is logarithmic" : "");
    const { left, right, top, bottom } = FRAME;
    draw("path", { d: `M${left} ${top}V${bottom}H${right}`, fill: "none", stroke: "#111" }, svg);
    const unit = (column) => names[column] + (columns[column].unit === "" ? "" : ` (${columns[column].unit})`);
    draw("text", { x: (left + right) / 2, y: bottom + 44, "text-anchor": "middle" }, svg, unit(x));
    const middle = (top + bottom) / 2;
    draw("text", { x: 18, y: middle, "text-anchor": "middle", transform: `rotate(270 18 ${middle})` }, svg, unit(y));
    const look = colours(by);
    const key = element("key");
    key.replaceChildren();
    for (const value of by === null ? [] : look.key) {
      const { ink, form } = look.of(value);
      const item = make("li", undefined, key);
      const icon = draw("svg", { width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" }, item);
      draw("path", { d: path(form, 8, 8, 5), fill: ink, stroke: ink }, icon);
      item.append(typeof value === "number" ? String(Number(value.toPrecision(4))) : value);
    }
    if (points.length === 0) {
      draw("text", { x: (left + right) / 2, y: middle, "text-anchor": "middle" }, svg, "no row has both values");
      return;
    }
    const across = scale(points.map((row) => rows[row][x]), logX, left, right);
    const up = scale(points.map((row) => rows[row][y]), logY, bottom, top);
    const short = (value) => String(Number(value.toPrecision(4)));
    for (const tick of across.ticks) {
      draw("path", { d: `M${across.pixel(tick)} ${bottom}v6`, stroke: "#111" }, svg);
      draw("text", { x: across.pixel(tick), y: bottom + 22, "text-anchor": "middle" }, svg, short(tick));
    }
    for (const tick of up.ticks) {
      draw("path", { d: `M${left} ${up.pixel(tick)}H${right}`, stroke: "#d9d9d9" }, svg);
      draw("text", { x: left - 8, y: up.pixel(tick) + 5, "text-anchor": "end" }, svg, short(tick));
    }
    let hollow = false;
    for (const row of points) {
      const { ink, form } = look.of(by === null ? null : rows[row][by]);
      const guess = estimated(row, x) || estimated(row, y);
      hollow = hollow || guess;
      const d = path(form, across.pixel(rows[row][x]), up.pixel(rows[row][y]), 5);
      const mark = draw("path", { d, class: "mark", fill: guess ? "#fff" : ink, stroke: ink, "stroke-width": 1.5, "data-row": row }, svg);
      mark.classList.toggle("chosen", row === chosen);
      marks.set(row, mark);
    }
    if (hollow) make("li", "hollow: extrapolated", key);
  }

  // The page.

  const rowOf = (event) => {
    const found = event.target.closest("[data-row]");
    return found ? Number(found.dataset.row) : null;
  };

  function controls() {
    const options = (select, list, wanted) => {
      for (const column of list) make("option", names[column], select).value = column;
      const first = wanted.find((name) => at.has(name) && list.includes(at.get(name)));
      if (first !== undefined) select.value = at.get(first);
    };
    const numbers = names.map((_, column) => column).filter((column) => numeric[column]);
    options(element("x"), numbers, ["luts", "energy_nj", "bytes", "weight_bits"]);
    options(element("y"), numbers, ["accuracy_percent", "fmax_mhz", "fps"]);
    options(element("colour"), names.map((_, column) => column), ["weight_bits", "target"]);
    for (const id of ["x", "y", "colour", "log-x", "log-y"]) element(id).addEventListener("change", scatter);
    for (const [column, { name, shown }] of columns.entries()) {
      const label = make("label", undefined, element("columns"));
      const box = make("input", undefined, label);
      box.type = "checkbox";
      box.value = column;
      box.checked = shown;
      label.append(" " + name);
      box.addEventListener("change", () => {
        head();
        filter();
        table();
      });
    }
    element("filter").addEventListener("input", filter);
    element("previous").addEventListener("click", () => { page -= 1; table(); });
    element("next").addEventListener("click", () => { page += 1; table(); });
    const svg = element("scatter");
    svg.addEventListener("click", (event) => { if (rowOf(event) !== null) choose(rowOf(event), true); });
    svg.addEventListener("mouseover", (event) => about(rowOf(event) ?? chosen));
    const body = document.querySelector("#table tbody");
    body.addEventListener("click", (event) => { if (rowOf(event) !== null) choose(rowOf(event), false); });
    body.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && rowOf(event) !== null) choose(rowOf(event), false);
    });
    window.addEventListener("beforeprint", () => table(true));
    window.addEventListener("afterprint", () => table());
  }

  if (rows.length > 0 && numeric.includes(true)) {
    controls();
    head();
    order();
  }
})();
