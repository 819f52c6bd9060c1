/* Charts from JSON, drawn by TradingView Lightweight Charts (loaded before this as a plain script).

   <div data-chart="candles" data-source="/some.json" data-refresh="5"> is drawn by itself, also when htmx brings it later.
   `data-source` is an address, or "#id" of a json_script on the page. Times are seconds since 1970, in UTC.

   candles: {"candles": [{"time", "open", "high", "low", "close"}],
             "markers": [{"time", "side": "BUY" | "SELL", "text"}],
             "lines":   [{"name", "pane", "points": [{"time", "value"}]}]}
   lines:   {"series":  [{"name", "kind": "equity" | "benchmark" | "drawdown" | "return", "points": [{"time", "value"}]}]}

   Lines with the name of a pane are drawn below the candles, on that pane's own scale; where a value is null they break.
   Values of "drawdown" and "return" are fractions and shown as percentages.

   Numbers may be text, as decimals are in our JSON. */

const library = globalThis.LightweightCharts;
const NUMBERS_SHOWN = 200;
const LINE_TOKENS = ["--color-series-1", "--color-series-2", "--color-series-3", "--color-series-4", "--color-series-5"];
/* Pixels; small enough for all points of a chart to fit on a phone. */
const MIN_BAR_SPACING = 0.05;
const FRACTIONS = new Set(["drawdown", "return"]);
/** How much higher the candles are than a pane below them. */
const PRICE_SHARE = 3;
const drawn = new WeakMap();

/** Draw candles with markers and lines in `element`; return {update(data), dispose()}. */
export function candleChart(element, data) {
  return draw(element, data, { apply: applyCandles, rows: candleRows, legend: candleLegend });
}

/** Draw lines (equity, benchmark, drawdown) in `element`; return {update(data), dispose()}. */
export function lineChart(element, data) {
  return draw(element, data, { apply: applyLines, rows: lineRows, legend: lineLegend });
}

const KINDS = { candles: candleChart, lines: lineChart };

function draw(element, data, kind) {
  const chart = library.createChart(element, { autoSize: true, ...appearance() });
  const series = new Map();
  let current = data;

  function update(next) {
    current = next;
    kind.apply({ element, chart, series, data: next });
    showLegend(element, kind.legend(next));
    showNumbers(element, () => kind.rows(current));
  }

  function restyle() {
    chart.applyOptions(appearance());
    for (const entry of series.values()) entry.api.applyOptions(entry.style());
    update(current);
  }

  document.addEventListener("themechange", restyle);
  update(data);
  chart.timeScale().fitContent();
  return {
    update,
    dispose() {
      document.removeEventListener("themechange", restyle);
      chart.remove();
    },
  };
}

/* --- what each kind draws ------------------------------------------------------------------------------------- */

function applyCandles({ element, chart, series, data }) {
  const candles = (data.candles ?? []).map((bar) => ({
    time: Number(bar.time), open: Number(bar.open), high: Number(bar.high), low: Number(bar.low), close: Number(bar.close),
  }));
  // Without their seconds, labels of bars shorter than a minute would repeat.
  const isFine = candles.length > 1 && candles[1].time - candles[0].time < 60;
  chart.applyOptions({ timeScale: { secondsVisible: isFine } });
  const format = { priceFormat: numberFormat(decimalsFor(candles.at(-1)?.close)) };
  const main = ensure(series, "candles", () => ({
    api: chart.addSeries(library.CandlestickSeries, { ...candleStyle(), ...format }), style: candleStyle,
  }));
  main.api.applyOptions(format);
  main.api.setData(candles);
  main.markers ??= library.createSeriesMarkers(main.api, []);
  main.markers.setMarkers((data.markers ?? []).map(marker));
  const panes = [...new Set((data.lines ?? []).map((line) => line.pane || ""))].filter(Boolean);
  element.style.setProperty("--chart-panes", panes.length);
  applyEach(chart, series, data.lines ?? [], (line, index) => ({
    ...lineStyle(index),
    ...(line.pane ? { priceFormat: numberFormat(decimalsOf(line.points)) } : format),
  }), (line) => (line.pane ? panes.indexOf(line.pane) + 1 : 0));
  chart.panes().forEach((pane, index) => pane.setStretchFactor(index ? 1 : PRICE_SHARE));
}

function applyLines({ chart, series, data }) {
  applyEach(chart, series, data.series ?? [], (line, index) => ({
    priceFormat: FRACTIONS.has(line.kind) ? PERCENT_FORMAT : numberFormat(2),
    ...kindStyle(line.kind, index),
  }));
}

function applyEach(chart, series, lines, styleOf, paneOf = () => 0) {
  const wanted = new Set(lines.map((line) => `line ${line.name}`));
  for (const [key, entry] of series) {
    if (key.startsWith("line ") && !wanted.has(key)) {
      chart.removeSeries(entry.api);
      series.delete(key);
    }
  }
  lines.forEach((line, index) => {
    const style = () => styleOf(line, index);
    const entry = ensure(series, `line ${line.name}`, () => (
      { api: chart.addSeries(typeOf(line.kind), style(), paneOf(line)), style }
    ));
    entry.api.setData(line.points.map(linePoint));
  });
}

/** A point as the library has it; where the next one has no value, the line is not drawn on to the one after. */
function linePoint(point, index, points) {
  const time = Number(point.time);
  if (point.value === null) return { time };
  const value = Number(point.value);
  return points[index + 1]?.value === null ? { time, value, color: "transparent" } : { time, value };
}

function typeOf(kind) {
  if (kind === "drawdown") return library.BaselineSeries;
  return kind === "equity" ? library.AreaSeries : library.LineSeries;
}

function ensure(series, key, make) {
  if (!series.has(key)) series.set(key, make());
  return series.get(key);
}

function marker({ time, side, text }) {
  const buys = side === "BUY";
  return {
    time: Number(time),
    position: buys ? "belowBar" : "aboveBar",
    shape: buys ? "arrowUp" : "arrowDown",
    color: token(buys ? "--color-gain-mark" : "--color-loss-mark"),
    text: text ?? "",
  };
}

/* --- looks: every color is a token -------------------------------------------------------------------------------- */

function appearance() {
  return {
    layout: {
      background: { type: "solid", color: "transparent" },
      textColor: token("--color-text-muted"),
      fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: 11,
      panes: { separatorColor: token("--color-line"), separatorHoverColor: token("--color-line"), enableResize: false },
      attributionLogo: false, // The logo brings an inline style; the credit is in the caption instead.
    },
    grid: { vertLines: { visible: false }, horzLines: { color: token("--color-chart-grid") } },
    rightPriceScale: { borderVisible: false },
    timeScale: { borderColor: token("--color-line"), timeVisible: true, secondsVisible: false, rightOffset: 2, minBarSpacing: MIN_BAR_SPACING },
    crosshair: {
      vertLine: { color: token("--color-line-strong"), labelBackgroundColor: token("--color-accent-solid") },
      horzLine: { color: token("--color-line-strong"), labelBackgroundColor: token("--color-accent-solid") },
    },
    // A page must stay scrollable on a phone.
    handleScroll: { vertTouchDrag: false },
    localization: { locale: "en-US" },
  };
}

function candleStyle() {
  const up = token("--color-gain-mark");
  const down = token("--color-loss-mark");
  return { upColor: up, wickUpColor: up, downColor: down, wickDownColor: down, borderVisible: false, priceLineVisible: false };
}

function lineStyle(index) {
  return { color: token(LINE_TOKENS[index % LINE_TOKENS.length]), lineWidth: 2, priceLineVisible: false, lastValueVisible: false };
}

function kindStyle(kind, index) {
  const quiet = { lineWidth: 2, priceLineVisible: false };
  if (kind === "benchmark") return { ...quiet, color: token("--color-benchmark"), lineStyle: 2, lastValueVisible: false };
  if (kind === "drawdown") return { ...quiet, ...belowZero("--color-loss-mark") };
  if (kind === "equity") return { ...quiet, ...area("--color-series-1") };
  return lineStyle(index);
}

function area(name) {
  return { lineColor: token(name), topColor: token(name, 0.24), bottomColor: token(name, 0.02) };
}

function belowZero(name) {
  return {
    baseValue: { type: "price", price: 0 },
    topLineColor: token(name), topFillColor1: token(name, 0), topFillColor2: token(name, 0),
    bottomLineColor: token(name), bottomFillColor1: token(name, 0.04), bottomFillColor2: token(name, 0.28),
  };
}

/** The color of a token as rgba(), which is what the library reads; tokens are written in oklch. */
function token(name, alpha = 1) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  probe.hidden = true;
  document.body.append(probe);
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = getComputedStyle(probe).color;
  probe.remove();
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}

const PERCENT_FORMAT = { type: "custom", formatter: (value) => `${(value * 100).toFixed(1)}%`, minMove: 0.001 };

function numberFormat(decimals) {
  const writer = new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return { type: "custom", formatter: (value) => writer.format(value), minMove: 10 ** -decimals };
}

function decimalsFor(price = 1) {
  if (price >= 1000) return 2;
  if (price >= 1) return 4;
  return 8;
}

/** Enough decimals for three figures of the largest value. */
function decimalsOf(points) {
  const largest = Math.max(0, ...points.map((point) => Math.abs(point.value ?? 0)));
  return largest > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(largest)), 0), 10) : 2;
}

/* --- legend and numbers, for those who cannot see the chart ---------------------------------------------------- */

function candleLegend(data) {
  return (data.lines ?? []).map((line, index) => [line.name, LINE_TOKENS[index % LINE_TOKENS.length]]);
}

function lineLegend(data) {
  const tokens = { equity: "--color-series-1", benchmark: "--color-benchmark", drawdown: "--color-loss-mark" };
  return (data.series ?? []).map((line, index) => [line.name, tokens[line.kind] ?? LINE_TOKENS[index % LINE_TOKENS.length]]);
}

function showLegend(element, entries) {
  const legend = element.closest(".chart")?.querySelector("[data-chart-legend]");
  if (!legend) return;
  legend.replaceChildren(...entries.map(([name, color]) => {
    const entry = document.createElement("span");
    entry.textContent = name;
    entry.style.setProperty("--legend-color", `var(${color})`);
    return entry;
  }));
}

function candleRows(data) {
  const sides = new Map((data.markers ?? []).map((entry) => [Number(entry.time), `${entry.side} ${entry.text ?? ""}`.trim()]));
  return {
    head: ["Time (UTC)", "Open", "High", "Low", "Close", "Trade"],
    rows: (data.candles ?? []).slice(-NUMBERS_SHOWN).reverse()
      .map((bar) => [clock(bar.time), bar.open, bar.high, bar.low, bar.close, sides.get(Number(bar.time)) ?? ""]),
  };
}

function lineRows(data) {
  const series = data.series ?? [];
  const times = [...new Set(series.flatMap((line) => line.points.map((point) => Number(point.time))))].sort((a, b) => b - a);
  const values = series.map((line) => new Map(line.points.map((point) => [Number(point.time), point.value])));
  return {
    head: ["Time (UTC)", ...series.map((line) => line.name)],
    rows: times.slice(0, NUMBERS_SHOWN).map((time) => [clock(time), ...values.map((of) => of.get(time) ?? "–")]),
  };
}

function clock(seconds) {
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace("T", " ");
}

/** Fill the table below the chart when somebody opens it. */
function showNumbers(element, rowsOf) {
  const details = element.closest(".chart")?.querySelector(".chart-numbers");
  const place = details?.querySelector("[data-chart-numbers]");
  if (!place) return;
  const fill = () => place.replaceChildren(numbersTable(rowsOf()));
  details.ontoggle = () => details.open && fill();
  if (details.open) fill();
}

function numbersTable({ head, rows }) {
  const table = document.createElement("table");
  table.className = "table";
  const line = (cells, tag) => {
    const row = document.createElement("tr");
    cells.forEach((text, index) => {
      const cell = document.createElement(tag);
      cell.textContent = String(text);
      if (index > 0) cell.className = "numeric";
      row.append(cell);
    });
    return row;
  };
  table.createTHead().append(line(head, "th"));
  table.createTBody().append(...rows.map((cells) => line(cells, "td")));
  return table;
}

/* --- drawing by itself ----------------------------------------------------------------------------------------- */

async function load(source) {
  if (source.startsWith("#")) return JSON.parse(document.querySelector(source).textContent);
  const response = await fetch(source, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (!response.ok) throw new Error(`The chart's data could not be loaded (${response.status}).`);
  return response.json();
}

function isEmpty(data) {
  return !(data.candles?.length || data.series?.some((line) => line.points.length));
}

async function show(element) {
  const status = element.querySelector(".chart-status");
  const say = (text) => { if (status) { status.textContent = text; status.hidden = !text; } };
  try {
    const data = await load(element.dataset.source);
    if (!element.isConnected) return;
    if (isEmpty(data)) {
      say("There is nothing to draw yet.");
    } else if (drawn.has(element)) {
      drawn.get(element).update(data);
    } else {
      say("");
      drawn.set(element, KINDS[element.dataset.chart](element, data));
    }
  } catch (error) {
    if (!drawn.has(element)) say(error.message);
  }
}

function start(element) {
  if (element.dataset.started) return;
  element.dataset.started = "true";
  show(element);
  const refresh = Number(element.dataset.refresh);
  if (!refresh) return;
  const timer = setInterval(() => {
    if (!element.isConnected) {
      clearInterval(timer);
      drawn.get(element)?.dispose();
    } else if (!document.hidden) {
      show(element);
    }
  }, refresh * 1000);
}

function scan(within) {
  if (within.matches?.("[data-chart]")) start(within);
  for (const element of within.querySelectorAll("[data-chart]")) start(element);
}

scan(document);
document.addEventListener("htmx:load", (event) => scan(event.target));
