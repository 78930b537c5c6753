// What the checks ask of a page that is open. Evaluates to an object of findings.
(() => {
  const found = {};
  document.querySelectorAll("details").forEach((it) => { it.open = true; });

  // Nothing is wider than the window, except what scrolls in a frame of its own.
  found.width = document.documentElement.scrollWidth;
  found.window = document.documentElement.clientWidth;
  found.wide = [];
  const scrolls = (element) => {
    for (let it = element; it; it = it.parentElement) {
      if (getComputedStyle(it).overflowX === "auto") return true;
    }
    return false;
  };
  document.querySelectorAll("body *").forEach((element) => {
    const box = element.getBoundingClientRect();
    if (box.width > 0 && box.right > document.documentElement.clientWidth + 1 && !scrolls(element)) {
      found.wide.push(`${element.tagName} ${element.textContent.trim().slice(0, 40)}`);
    }
  });

  // Contrast of each text with what is behind it, by WCAG 2's definition.
  const channels = (color) => (color.match(/[\d.]+/g) || []).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((it) => {
      const part = it / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let it = element; it; it = it.parentElement) {
      const color = getComputedStyle(it).backgroundColor;
      const alpha = channels(color)[3];
      if (alpha === undefined || alpha > 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const has_text = (element) => [...element.childNodes].some(
    (it) => it.nodeType === Node.TEXT_NODE && it.textContent.trim());
  found.texts = 0;
  found.faint = [];
  found.small = [];
  document.querySelectorAll("body *").forEach((element) => {
    const drawn = element.getClientRects().length > 0;
    if (!drawn || !has_text(element) || ["SCRIPT", "STYLE", "title", "desc"].includes(element.tagName)) return;
    const style = getComputedStyle(element);
    const svg = element.ownerSVGElement;
    const ratio = contrast(svg ? style.fill : style.color, behind(element));
    found.texts += 1;
    if (ratio < 4.5) found.faint.push(`${element.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    const size = parseFloat(style.fontSize) * scale;
    if (size < 9) found.small.push(`${element.textContent.trim().slice(0, 30)}: ${size.toFixed(1)} px`);
  });
  // Lines need 3 : 1.
  found.lines = 0;
  document.querySelectorAll(".chart polyline, .legend line").forEach((element) => {
    found.lines += 1;
    const ratio = contrast(getComputedStyle(element).stroke, behind(element));
    const grid = ["#000002", "#000003"].includes(element.getAttribute("stroke"));
    if (!grid && ratio < 3) found.faint.push(`${element.getAttribute("stroke")}: ${ratio.toFixed(2)}`);
  });

  // A line that leaves the drawing is not seen.
  found.outside = [];
  document.querySelectorAll("svg.chart").forEach((svg) => {
    const { width, height } = svg.viewBox.baseVal;
    svg.querySelectorAll("polyline, circle, text").forEach((element) => {
      const box = element.getBBox();
      const slack = 8;
      if (box.x < -slack || box.y < -slack || box.x + box.width > width + slack || box.y + box.height > height + slack) {
        found.outside.push(`${svg.getAttribute("aria-label")}: ${element.tagName} ${element.textContent.trim()}`);
      }
    });
    if (!svg.querySelector("title")?.textContent || !svg.querySelector("desc")?.textContent) {
      found.outside.push("a chart without title or description");
    }
  });
  found.charts = document.querySelectorAll("svg.chart").length;

  found.cells = [...document.querySelectorAll("td[data-figure]")].map((cell) => {
    const row = cell.closest("tr").dataset;
    return {
      scenario: Number(row.scenario),
      sample: row.sample === undefined ? null : Number(row.sample),
      figure: cell.dataset.figure,
      text: cell.querySelector(".value").textContent,
      interval: cell.querySelector(".interval")?.textContent ?? null,
    };
  });
  found.alerts = [...document.querySelectorAll("tr[data-alert]")].map((row) => {
    const [severity, time, job, alert] = row.cells;
    return {
      severity: severity.textContent,
      time: time.textContent,
      job: job.childNodes[0].textContent,
      run: job.querySelector(".aside")?.textContent ?? null,
      description: alert.querySelector(".value").textContent,
      expression: alert.querySelector("code")?.textContent ?? null,
    };
  });
  found.changes = [...document.querySelectorAll("td[data-change]")].map((cell) => cell.textContent);
  found.data = document.getElementById("data").textContent;
  found.title = document.title;
  found.scripts = [...document.scripts].map((it) => it.type);
  found.links = [...document.querySelectorAll('a[href^="#"]')]
    .filter((it) => !document.getElementById(it.getAttribute("href").slice(1)))
    .map((it) => it.getAttribute("href"));
  found.ids = [...document.querySelectorAll("[id]")].map((it) => it.id)
    .filter((id, place, all) => all.indexOf(id) !== place);
  return found;
})()
