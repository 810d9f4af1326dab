"use strict";
// Line charts: hover or arrow keys read values; dragging, + and - zoom; 0 and a double click show everything again.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const HEIGHT = 260;
  const MARGIN = { right: 12, top: 10, bottom: 34 };
  // Of a letter of the numbers beside the axis.
  const LETTER = 6.3;
  const COLOURS = 10;

  const element = (name, attributes, parent) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (parent) parent.append(made);
    return made;
  };

  const short = (value) => {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1e6 || size < 1e-3) return value.toExponential(2).replace(/\.?0+e/, "e");
    return String(Number(value.toPrecision(size >= 1000 ? 6 : 4)));
  };

  // Round numbers between two others.
  const ticks = (low, high, count) => {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) || 10);
    const found = [];
    for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(n * step);
    return found;
  };

  const powers = (low, high) => {
    const found = [];
    const from = Math.floor(Math.log10(low));
    const to = Math.ceil(Math.log10(high));
    const factors = to - from > 3 ? [1] : to - from > 1 ? [1, 3] : [1, 2, 3, 5, 7];
    const every = Math.max(1, Math.ceil((to - from) / 7));
    for (let power = from; power <= to; power += every) {
      for (const factor of factors) {
        const value = factor * 10 ** power;
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      }
    }
    return found;
  };

  class Chart {
    constructor(figure) {
      this.chart = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
      this.plot = figure.querySelector(".plot");
      this.hidden = new Set();
      this.log = false;
      this.zoom = null;
      this.at = null;
      this.read();
      this.svg = element("svg", { role: "img", tabindex: "0", height: HEIGHT }, this.plot);
      this.svg.setAttribute("aria-label", `${this.plot.getAttribute("aria-label")}. Arrow keys read values, plus and minus zoom.`);
      this.tip = document.createElement("div");
      this.tip.className = "tip";
      this.tip.hidden = true;
      this.said = document.createElement("div");
      this.said.className = "visually-hidden";
      this.said.setAttribute("aria-live", "polite");
      this.plot.append(this.tip, this.said);
      this.tools(figure);
      this.listen();
      new ResizeObserver(() => this.draw()).observe(this.plot);
      this.draw();
    }

    read() {
      const isNumber = ([x, y]) => Number.isFinite(x) && Number.isFinite(y);
      this.series = this.chart.series.map((series, index) => ({
        name: series.name,
        points: series.points.filter(isNumber),
        colour: `var(--s${index % COLOURS})`,
      }));
    }

    // Takes other values of the same series: what is hidden, zoomed into and pointed at stays.
    update(chart) {
      this.chart = chart;
      this.read();
      this.log = this.log && this.series.every(({ points }) => points.every((point) => point[1] > 0));
      this.draw();
    }

    tools(figure) {
      const tools = document.createElement("div");
      tools.className = "tools";
      const button = (text, kind, pressed, act) => {
        const made = document.createElement("button");
        made.type = "button";
        made.className = kind;
        if (pressed !== null) made.setAttribute("aria-pressed", pressed);
        const name = document.createElement("span");
        name.className = "name";
        name.textContent = text;
        made.append(name);
        made.addEventListener("click", () => act(made));
        tools.append(made);
        return made;
      };
      this.series.forEach((series, index) => {
        if (this.series.length < 2) return;
        const toggle = button(series.name, "series", true, (made) => {
          const hide = !this.hidden.has(index);
          if (hide) this.hidden.add(index); else this.hidden.delete(index);
          made.setAttribute("aria-pressed", !hide);
          this.draw();
        });
        toggle.title = series.name;
        const dot = document.createElement("span");
        dot.className = "dot";
        dot.style.background = series.colour;
        toggle.prepend(dot);
      });
      if (this.series.length === 1 && !this.chart.dots && this.series[0].name !== this.chart.title) {
        const name = document.createElement("span");
        name.className = "tool";
        name.textContent = this.series[0].name;
        tools.append(name);
      }
      const spacer = document.createElement("span");
      spacer.className = "end";
      tools.append(spacer);
      this.reset = button("Show all", "tool", null, () => this.zoomTo(null));
      this.reset.hidden = true;
      const positive = this.series.every(({ points }) => points.every((point) => point[1] > 0));
      if (this.chart.log && positive) {
        button("log", "tool", false, (made) => {
          this.log = !this.log;
          made.setAttribute("aria-pressed", this.log);
          this.draw();
        });
      }
      this.plot.after(tools);
    }

    shown() {
      return this.series.filter((_, index) => !this.hidden.has(index));
    }

    // What is in view: all of it, or the zoomed part with the heights that it has.
    ranges() {
      const all = this.shown().flatMap(({ points }) => points);
      const within = (list, index) => {
        let low = Infinity, high = -Infinity;
        for (const point of list) { low = Math.min(low, point[index]); high = Math.max(high, point[index]); }
        return low <= high ? [low, high] : [0, 1];
      };
      let x = this.zoom || (this.chart.unit ? [0, 1] : within(all, 0));
      if (x[0] === x[1]) x = [x[0] - 0.5, x[1] + 0.5];
      const visible = this.zoom ? all.filter((point) => point[0] >= x[0] && point[0] <= x[1]) : all;
      let y = this.chart.unit && !this.zoom ? [0, 1] : within(visible.length ? visible : all, 1);
      if (this.chart.unit && !this.zoom) return { x: [-0.01, 1.01], y: [-0.02, 1.03] };
      if (y[0] === y[1]) y = this.log ? [y[0] / 2, y[1] * 2] : [y[0] - (Math.abs(y[0]) || 1) / 2, y[1] + (Math.abs(y[1]) || 1) / 2];
      if (this.log) return { x, y: [y[0] / 1.08, y[1] * 1.08] };
      const space = 0.06 * (y[1] - y[0]);
      const base = y[0] >= 0 && y[0] < 0.35 * y[1] ? 0 : y[0] - space;
      return { x, y: [base, y[1] + space] };
    }

    draw() {
      const width = Math.max(this.plot.clientWidth, 160);
      const { x, y } = this.ranges();
      const beside = this.log ? powers(y[0], y[1]) : ticks(y[0], y[1], 7);
      const left = Math.max(52, 14 + LETTER * Math.max(0, ...beside.map((value) => short(value).length)));
      const inner = { width: width - left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
      const flat = this.log ? Math.log : (value) => value;
      this.toX = (value) => left + ((value - x[0]) / (x[1] - x[0])) * inner.width;
      this.fromX = (at) => x[0] + ((at - left) / inner.width) * (x[1] - x[0]);
      this.toY = (value) => MARGIN.top + (1 - (flat(value) - flat(y[0])) / (flat(y[1]) - flat(y[0]))) * inner.height;
      this.view = x;
      const svg = this.svg;
      svg.replaceChildren();
      svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
      const id = `clip-${this.plot.parentElement.dataset.chart}`;
      const clip = element("clipPath", { id }, element("defs", {}, svg));
      element("rect", { x: left - 4, y: 0, width: inner.width + 8, height: HEIGHT - MARGIN.bottom + 2 }, clip);
      for (const value of beside) {
        const at = this.toY(value);
        element("line", { class: "grid-line", x1: left, x2: width - MARGIN.right, y1: at, y2: at }, svg);
        element("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, svg).textContent = short(value);
      }
      for (const value of ticks(x[0], x[1], Math.max(2, Math.floor(inner.width / 80)))) {
        const at = this.toX(value);
        element("text", { x: at, y: HEIGHT - MARGIN.bottom + 16, "text-anchor": "middle" }, svg).textContent = short(value);
      }
      const bottom = HEIGHT - MARGIN.bottom;
      element("line", { class: "axis", x1: left, x2: width - MARGIN.right, y1: bottom, y2: bottom }, svg);
      element("text", { x: width - MARGIN.right, y: HEIGHT - 4, "text-anchor": "end" }, svg).textContent = this.chart.x;
      const lines = element("g", { "clip-path": `url(#${id})` }, svg);
      if (this.chart.diagonal) {
        const ends = [Math.max(x[0], y[0]), Math.min(x[1], y[1])];
        const [x1, x2] = ends.map(this.toX);
        const [y1, y2] = ends.map(this.toY);
        element("line", { class: "reference", x1, x2, y1, y2 }, lines);
      }
      for (const { points, colour } of this.shown()) {
        if (this.chart.dots || points.length < 30) {
          const few = points.length < 30 && !this.chart.dots;
          for (const [px, py] of points) {
            const attributes = { cx: this.toX(px), cy: this.toY(py), r: few ? 3 : 2.2, opacity: few ? 1 : 0.45 };
            element("circle", attributes, lines).style.fill = colour;
          }
        }
        if (this.chart.dots) continue;
        const path = points.map(([px, py], index) => `${index ? "L" : "M"}${this.toX(px).toFixed(2)} ${this.toY(py).toFixed(2)}`);
        element("path", { class: "curve", d: path.join("") }, lines).style.stroke = colour;
      }
      this.marks = element("g", {}, svg);
      this.point(this.at);
    }

    // The points nearest to a position on the horizontal axis, one of each curve.
    nearest(x) {
      return this.shown().flatMap((series) => {
        const { points } = series;
        if (!points.length) return [];
        let [low, high] = [0, points.length - 1];
        if (this.chart.dots) {
          low = points.reduce((best, point, index) => (Math.abs(point[0] - x) < Math.abs(points[best][0] - x) ? index : best), 0);
        } else {
          while (high - low > 1) {
            const middle = (low + high) >> 1;
            if (points[middle][0] <= x) low = middle; else high = middle;
          }
          if (Math.abs(points[high][0] - x) < Math.abs(points[low][0] - x)) low = high;
        }
        return [{ series, point: points[low] }];
      });
    }

    point(x) {
      this.at = x;
      this.marks.replaceChildren();
      this.tip.hidden = x === null;
      if (x === null) return;
      const found = this.nearest(x);
      if (!found.length) { this.tip.hidden = true; return; }
      const closest = found.reduce((best, each) => (Math.abs(each.point[0] - x) < Math.abs(best.point[0] - x) ? each : best));
      const near = found.filter(({ point }) => Math.abs(point[0] - closest.point[0]) <= 0.02 * (this.view[1] - this.view[0]));
      const at = this.toX(closest.point[0]);
      element("line", { class: "cross", x1: at, x2: at, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }, this.marks);
      this.tip.replaceChildren();
      const head = document.createElement("b");
      head.textContent = `${this.chart.x} ${short(closest.point[0])}`;
      this.tip.append(head);
      for (const { series, point } of near) {
        element("circle", { cx: this.toX(point[0]), cy: this.toY(point[1]), r: 4 }, this.marks).style.fill = series.colour;
        const row = document.createElement("div");
        const dot = document.createElement("i");
        dot.className = "dot";
        dot.style.background = series.colour;
        const name = document.createElement("span");
        name.textContent = near.length > 1 || this.series.length > 1 ? series.name : this.chart.title;
        const value = document.createElement("b");
        value.textContent = short(point[1]);
        row.append(dot, name, value);
        this.tip.append(row);
      }
      const left = at > this.plot.clientWidth / 2 ? at - this.tip.offsetWidth - 12 : at + 12;
      this.tip.style.transform = `translate(${Math.max(0, left)}px, ${MARGIN.top}px)`;
    }

    say() {
      this.said.textContent = this.tip.hidden ? "" : [...this.tip.children].map((row) => row.textContent).join(", ");
    }

    zoomTo(range) {
      this.zoom = range;
      this.reset.hidden = !range;
      this.draw();
    }

    // Zooms around the middle, or what is pointed at.
    zoomBy(factor) {
      const [low, high] = this.view;
      const middle = this.at ?? (low + high) / 2;
      const half = ((high - low) / 2) * factor;
      const before = this.zoom;
      this.zoom = null;
      const all = this.ranges().x;
      this.zoom = before;
      const range = [Math.max(all[0], middle - half), Math.min(all[1], middle + half)];
      this.zoomTo(range[1] - range[0] >= all[1] - all[0] ? null : range);
    }

    listen() {
      const { svg } = this;
      let from = null;
      const position = (event) => event.clientX - svg.getBoundingClientRect().left;
      svg.addEventListener("pointerdown", (event) => {
        if (event.button || event.pointerType === "touch") return;
        from = position(event);
        svg.setPointerCapture(event.pointerId);
      });
      svg.addEventListener("pointermove", (event) => {
        const to = position(event);
        this.point(Math.min(Math.max(this.fromX(to), this.view[0]), this.view[1]));
        if (from !== null && Math.abs(to - from) > 4) {
          const band = { class: "band", x: Math.min(from, to), width: Math.abs(to - from), y: MARGIN.top, height: HEIGHT - MARGIN.top - MARGIN.bottom };
          element("rect", band, this.marks);
        }
      });
      svg.addEventListener("pointerup", (event) => {
        const to = position(event);
        if (from !== null && Math.abs(to - from) > 8) {
          const ends = [from, to].map(this.fromX).map((x) => Math.min(Math.max(x, this.view[0]), this.view[1]));
          this.zoomTo([Math.min(...ends), Math.max(...ends)]);
        }
        from = null;
      });
      svg.addEventListener("pointerleave", () => { from = null; this.point(null); });
      svg.addEventListener("blur", () => { this.point(null); this.say(); });
      svg.addEventListener("dblclick", () => this.zoomTo(null));
      svg.addEventListener("keydown", (event) => {
        const xs = [...new Set(this.shown().flatMap(({ points }) => points.map((point) => point[0])))].sort((a, b) => a - b)
          .filter((x) => x >= this.view[0] && x <= this.view[1]);
        const index = this.at === null ? -1 : xs.findIndex((x) => x >= this.at);
        const moves = { ArrowRight: index + 1, ArrowLeft: index < 0 ? xs.length - 1 : index - 1, Home: 0, End: xs.length - 1 };
        if (event.key in moves) {
          this.point(xs[Math.min(Math.max(moves[event.key], 0), xs.length - 1)] ?? null);
        } else if (event.key === "+" || event.key === "=") {
          this.zoomBy(0.5);
        } else if (event.key === "-") {
          this.zoomBy(2);
        } else if (event.key === "0") {
          this.zoomTo(null);
        } else if (event.key === "Escape") {
          this.point(null);
        } else {
          return;
        }
        event.preventDefault();
        this.say();
      });
    }
  }
  const show = () => {
    for (const figure of document.querySelectorAll("[data-chart]")) figure.chart ||= new Chart(figure);
  };
  addEventListener("contentchange", show);
  show();
})();
