"""The style of the page: one sheet, for light and dark, wide and narrow, screen and paper.

Rules
- Text has a contrast of at least 4.5 to its ground (WCAG AA), in both schemes; curves differ in their dashes, too.
- Columns of figures have digits of one width. Nothing is wider than the page: a wide table scrolls in its own frame.
Runs on: anywhere (pure).
"""

_LIGHT = """
--ground:#f6f7f8;--card:#fff;--ink:#171b21;--muted:#59626e;--line:#e3e6ea;--edge:#8a94a1;
--blue:#1f5fd0;--sky:#cfe0fb;--violet:#7b3fc4;--rose:#c2255c;--teal:#0b7a6f;--mint:#c9ece5;
--good:#18794e;--good-ground:#e4f5ec;--warn:#8a5300;--bad:#b3261e;--bad-ground:#fdeae8;
--info:#1f5fd0;--hover:#1f5fd01a;--hatch:#59626e33;
--k0:#b3261e;--k1:#d9730d;--k2:#a58a00;--k3:#7b3fc4;--k4:#0b7a6f;--k5:#68737f;
--h0:#e3edfb;--h1:#c0d6f6;--h2:#98baee;--h3:#6f9be3;--h4:#4b7cd4;--h5:#3560bb;--h6:#264699;--h7:#182d6d;
"""
_DARK = """
--ground:#0e1116;--card:#161b22;--ink:#e7eaee;--muted:#9ba6b3;--line:#283039;--edge:#6c7886;
--blue:#7fb0ff;--sky:#1f3a66;--violet:#c4a1f7;--rose:#ff8fab;--teal:#5fd0bd;--mint:#173f3a;
--good:#6fd6a0;--good-ground:#12301f;--warn:#f2c063;--bad:#ff9a90;--bad-ground:#3a1816;
--info:#8fb8ff;--hover:#7fb0ff26;--hatch:#9ba6b333;
--k0:#ff7b70;--k1:#f5a04c;--k2:#d8c24a;--k3:#c4a1f7;--k4:#5fd0bd;--k5:#98a4b1;
--h0:#1b2636;--h1:#1f3557;--h2:#25487d;--h3:#2f60a6;--h4:#427dcb;--h5:#6a9fe4;--h6:#9cc3f5;--h7:#d8e9ff;
"""
_PAGE = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","Liberation Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:40px 32px 64px}
h1,h2,h3,p,dl,dd,figure,ul{margin:0;padding:0}
h1{font-size:15px;font-weight:400;color:var(--muted);overflow-wrap:anywhere}
h1 b{color:var(--ink);font-weight:600}
h2{font-size:20px;font-weight:650;letter-spacing:-.01em;margin:48px 0 16px}
h3{font-size:15px;font-weight:650}
h3 small{font-size:13px;font-weight:400;color:var(--muted);margin-left:4px}
.note{color:var(--muted);font-size:13px;max-width:76ch;margin-top:12px}
.none{position:absolute;width:0;height:0}
.hatch{stroke:var(--hatch);stroke-width:5}
.card,figure,.tile{background:var(--card);border:1px solid var(--line);border-radius:12px}
"""
_VERDICT = """
.verdict{margin:14px 0 0;padding:24px 28px;border-radius:14px;border:1px solid var(--line);border-left:6px solid;
background:var(--card)}
.verdict p{max-width:80ch;overflow-wrap:anywhere}
.verdict .call{display:flex;align-items:center;gap:12px;font-size:30px;line-height:1.2;font-weight:700;
letter-spacing:-.015em;margin-bottom:8px}
.call svg{width:30px;height:30px;flex:none;fill:currentColor}
.call svg path{fill:none;stroke:var(--card);stroke-width:2.6;stroke-linecap:round;stroke-linejoin:round}
.verdict .next{margin-top:4px;color:var(--muted)}
.next b{color:var(--ink);font-weight:600}
.good{border-left-color:var(--good)}.good .call{color:var(--good)}
.warn{border-left-color:var(--warn)}.warn .call{color:var(--warn)}
.bad{border-left-color:var(--bad)}.bad .call{color:var(--bad)}
.info{border-left-color:var(--info)}.info .call{color:var(--info)}
.gates{list-style:none;margin-top:16px;border-top:1px solid var(--line);padding-top:12px}
.gates li{display:flex;gap:10px;align-items:baseline;padding:2px 0;overflow-wrap:anywhere}
.gates code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
.chip{font-size:12px;font-weight:650;padding:1px 8px;border-radius:99px;flex:none;min-width:68px;text-align:center}
.chip.kept{color:var(--good);background:var(--good-ground)}.chip.missed{color:var(--bad);background:var(--bad-ground)}
.tiles{display:grid;grid-template-columns:repeat(5,1fr);gap:12px;margin-top:16px}
.tile{padding:16px 18px 14px;min-width:0}
.tile dt{color:var(--muted);font-size:13px}
.tile dd{font-size:26px;line-height:1.25;font-weight:650;letter-spacing:-.02em;white-space:nowrap}
.tile dd span{font-size:15px;font-weight:500;letter-spacing:0;color:var(--muted);margin-left:4px}
.tile p{font-size:12.5px;line-height:1.45;color:var(--muted);margin-top:4px}
"""
_CHART = """
figure{padding:18px 24px 10px;margin-bottom:12px}
.head{display:flex;flex-wrap:wrap;justify-content:space-between;gap:2px 24px;align-items:baseline;margin-bottom:10px}
.legend{display:flex;flex-wrap:wrap;gap:0 16px;list-style:none;font-size:12.5px;color:var(--muted)}
.legend li{display:flex;align-items:center;gap:6px}
.sample{width:18px;height:14px;overflow:visible;flex:none}
.plot{padding:4px 14px 0 44px}
.named .plot{padding-top:22px}
.chart{display:block;width:100%;overflow:visible}
.chart text{font-size:11.5px;fill:var(--muted)}
.chart text.end{text-anchor:end}.chart text.middle{text-anchor:middle}
.chart text.name{fill:var(--ink);font-size:11.5px}
.chart text.halo{paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
.grid{stroke:var(--line);stroke-width:1}.tick{stroke:var(--edge);stroke-width:1}
.edge{stroke:var(--edge);stroke-width:1;stroke-dasharray:2 3}
.level{stroke:var(--ink);stroke-width:1;stroke-dasharray:5 4}
.inner{overflow:visible}
.inner rect{fill:transparent}.inner rect:hover{fill:var(--hover)}
.line,.dots{fill:none;stroke:currentColor;stroke-width:1.75;vector-effect:non-scaling-stroke;stroke-linejoin:round;
stroke-linecap:round}
.dots{stroke-width:3.5}
.area{stroke:none;fill:currentColor}
.mark{overflow:visible}.mark.yes circle{fill:var(--good);stroke:var(--card);stroke-width:1.5}
.mark.no path{fill:none;stroke:var(--bad);stroke-width:2.5;stroke-linecap:round}
.c-due{color:var(--muted);stroke-dasharray:5 4;stroke-width:1.5}.c-ended{color:var(--blue)}.c-good{color:var(--sky)}
.c-p50{color:var(--blue);stroke-width:2.25}.c-p90{color:var(--violet);stroke-dasharray:7 4}.c-p99{color:var(--rose)}
.c-max{color:var(--muted);stroke-width:3}
.c-flight{color:var(--mint)}.c-flight-edge{color:var(--teal)}.c-users{color:var(--muted);stroke-dasharray:5 4}
.c-lag{color:var(--rose)}.c-cpu{color:var(--sky)}.c-cpu-edge{color:var(--blue)}
.c-response{color:var(--blue);stroke-width:2.25}.c-service{color:var(--rose);stroke-dasharray:7 4}
.c-between{color:var(--sky)}
.c-a{color:var(--blue)}.c-b{color:var(--rose)}.line.c-b{stroke-dasharray:7 4}
.k0{color:var(--k0)}.k1{color:var(--k1)}.k2{color:var(--k2)}.k3{color:var(--k3)}.k4{color:var(--k4)}.k5{color:var(--k5)}
.h0{fill:var(--h0)}.h1{fill:var(--h1)}.h2{fill:var(--h2)}.h3{fill:var(--h3)}
.h4{fill:var(--h4)}.h5{fill:var(--h5)}.h6{fill:var(--h6)}.h7{fill:var(--h7)}
.heat{shape-rendering:crispEdges}
.ramp{display:flex;align-items:center;gap:8px;font-size:12.5px;color:var(--muted)}
.ramp svg{width:160px;height:10px;border-radius:3px}
.tint{fill:var(--good-ground)}
.sample .mark.yes path,.sample .mark.no circle{display:none}
.ratio{display:grid;grid-template-columns:130px minmax(0,1fr);gap:16px;align-items:center;font-size:13.5px}
.interval-row{display:block;width:100%;height:34px;overflow:visible;color:var(--blue)}
.interval-row.worse{color:var(--bad)}.interval-row.better{color:var(--good)}
.interval-row circle{fill:currentColor}.whisker{stroke:currentColor;stroke-width:4;stroke-linecap:round;opacity:.55}
.interval-row text{font-size:11.5px;fill:var(--muted);text-anchor:middle}.axis{color:var(--muted);font-size:11.5px}
.axis .interval-row{height:22px}.tolerance{fill:var(--line)}
figure>.ratio{padding-right:24px}
"""
_TABLE = """
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:12px;margin-bottom:12px}
.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--blue);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:13.5px}
caption{text-align:left;padding:16px 20px 8px;font-weight:650;font-size:15px}
th,td{padding:7px 14px;text-align:right;white-space:nowrap;border-top:1px solid var(--line);font-weight:400}
th:first-child,td:first-child{padding-left:20px}th:last-child,td:last-child{padding-right:20px}
thead th{border-top:0;color:var(--muted);font-size:12.5px;font-weight:500;vertical-align:bottom}
.word{text-align:left}
tbody th{font-weight:550;position:sticky;left:0;background:var(--card)}
td.word{white-space:normal;overflow-wrap:anywhere;min-width:220px}
tbody tr:hover{background:var(--hover)}
.bar,.range{display:block;width:100%;min-width:110px;height:14px;overflow:visible}
.bar rect{fill:var(--line)}.bar rect+rect{fill:var(--blue)}.bar .k0{fill:var(--k0)}
.range line{stroke:var(--blue);stroke-width:3;stroke-linecap:round}.range circle{fill:var(--blue)}
.range line.rest{stroke:var(--edge);stroke-width:1}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:12px;align-items:start}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(230px,1fr));gap:14px 28px;background:var(--card);
border:1px solid var(--line);border-radius:12px;padding:20px 24px;margin-bottom:12px}
.facts div{min-width:0}
.facts dt,.how dt{color:var(--muted);font-size:12.5px}
.facts dd{overflow-wrap:anywhere}
.how{display:grid;grid-template-columns:1fr 1fr;gap:18px 40px}
.how dt{color:var(--ink);font-weight:650;font-size:14px}
.how dd{color:var(--muted);font-size:13.5px;max-width:64ch}
details{margin:4px 0 12px}
summary{cursor:pointer;color:var(--muted);font-size:13.5px;padding:6px 2px;width:fit-content}
details[open] summary{margin-bottom:6px}
footer{margin-top:48px;color:var(--muted);font-size:12.5px}
"""
_NARROW = """
@media(max-width:900px){.tiles{grid-template-columns:repeat(6,1fr)}.tile{grid-column:span 2}
.tile:nth-child(-n+2){grid-column:span 3}.pair{grid-template-columns:minmax(0,1fr)}}
@media(max-width:640px){main{padding:20px 14px 40px}
.ratio{grid-template-columns:74px minmax(0,1fr)}
.pictured tr>:nth-child(2){display:none}tbody th{white-space:normal;min-width:124px}
.minor{display:none}.how{grid-template-columns:1fr}
.verdict{padding:18px 18px}.verdict .call{font-size:23px}.call svg{width:25px;height:25px}
.tiles{grid-template-columns:1fr 1fr;gap:8px}.tile,.tile:nth-child(-n+2){grid-column:auto;padding:12px 14px}
.tile:first-child{grid-column:1/-1}.tile dd{font-size:22px}
figure{padding:14px 12px 8px}h2{margin-top:36px}.plot{padding-left:46px}
th,td{padding:7px 10px}th:first-child,td:first-child{padding-left:14px}caption{padding-left:14px}}
@media print{body{background:#fff;font-size:12px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
main{max-width:none;padding:0}figure,.scroll,.verdict,.tile,.facts,tr{break-inside:avoid}h2{break-after:avoid}
.scroll{overflow:visible}summary{display:none}}
"""
STYLE = (
    f":root{{color-scheme:light dark;{_LIGHT}}}@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
    f"{_PAGE}{_VERDICT}{_CHART}{_TABLE}{_NARROW}"
)
