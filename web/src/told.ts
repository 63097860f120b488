// What the server says in English sentences, in the reader's language: findings come with their figures, features of states by
// their parts, refusals by what they look like. What is not known here stays as the server said it.
import { said, type Fact, type IssueInfo, type Trait } from "./api";
import { num } from "./format";
import { t } from "./i18n";
import { lang } from "./state";

/** Findings in Chinese; {name} is a word or a whole number, {name:2} a number with two decimals. */
const FACTS: Record<string, string> = {
  no_step: "该算例还没有已完成的时段。",
  solved: "{steps} 个时段，每个时段 {outages} 个故障：{asked} 个中已求解 {solved} 个。",
  passed: "{passed} 个由模型 {model} 判定无需求解：若工况与其校准集同分布，则以 {confidence} % 的置信度，漏判的越限故障对不超过 {missed:3} %。",
  base_unsolved: "有 {steps} 个时段的基态无解。",
  base_holds: "故障前所有时段均满足全部限值。",
  base_broken: "故障前有 {steps} 个时段越限；最常见的是 {element} 的{kind}（{often} 个时段）。",
  secure: "没有故障使原本满足的限值被突破。",
  secure_solved: "已求解的故障均未使原本满足的限值被突破。",
  insecure: "故障后在 {cases} 个工况中出现新的越限，涉及 {steps} 个时段中的 {insecure} 个。最严重：{outage} 停运使 {element} 出现{kind}，超限 {past:1} %。",
  outages_unsolved: "{cases} 个故障没有潮流解；最常见的是 {outage}（{steps} 个时段）。",
  islanding: "{cases} 个故障使部分电网失去供电；最大的是 {outage}：最多损失负荷 {load} MW、电源 {infeed} MW。",
  reactive: "{places} 个母线上的机组无功超出能力；请启用无功限值 (q_limits) 以得到真实存在的工况。",
  points_kept: "{steps} 个时段中有 {kept} 个存在满足正常电网全部限值的交流运行点。",
  points_secure: "其中 {secure} 个安全：每个求解 {outages} 个故障，均满足限值。",
  points_passed: "其余故障由模型 {model} 判定无需求解：若工况与其校准集同分布，则以 {confidence} % 的置信度，漏判的越限故障对不超过 {missed:3} %。",
  points_unsolved: "有 {steps} 个时段未找到功率平衡的运行点。",
  data_broken: "数据自带的调度方案使正常电网越限 {limits} 次，涉及 {steps} 个时段。",
  curtailed: "弃电：风光 {gwh:2} GWh，占可发电量的 {share:2} %。",
  losses_cost: "网损 {gwh:1} GWh（占负荷的 {share:2} %），成本 {cost:2} 百万，碳排放 {carbon:1} 千吨 CO₂。",
  plan_cost: "{steps} 个时段（每个 {minutes} 分钟）成本 {cost}；CO₂ {co2} 吨。",
  plan_unused: "风、光、水未利用电量 {mwh} MWh。",
  plan_cause: "其中 {mwh} MWh 原因：{cause}。",
  plan_unserved: "失负荷 {mwh:1} MWh。",
  plan_reserve_short: "备用缺额 {mwh:1} MWh。",
};
/** The parts that findings about infeasible steps are made of. */
const PARTS: [string, string][] = [
  ["infeasible", "{steps} 个时段不可行：给出的运行点越限最小"], ["short", "最多缺 {short:1} MW"],
  ["most", "最常见的是{table} {element} 的{kind}（{often} 个时段）"], ["behind", "其中 {binding} 个时段 {rated_table} {rated} 的额定容量起作用"],
];
const WORDS = new Set(["kind", "cause", "table", "rated_table"]);

function filled(template: string, values: Record<string, unknown>): string {
  return template.replace(/\{(\w+)(?::(\d))?\}/g, (_, name: string, digits?: string) => {
    const value = values[name];
    return typeof value === "number" ? num(value, Number(digits ?? 0)) : WORDS.has(name) ? t(String(value)) : String(value);
  });
}

/** Findings of a run, one sentence each. */
export function findings(sentences: string[], facts: Fact[]): string[] {
  if (lang.value !== "zh") return sentences;
  return facts.map((fact, i) => {
    const parts = fact.key.startsWith("infeasible") ? PARTS.filter(([part]) => fact.key.split("_").includes(part)).map(([, text]) => text) : [];
    const template = parts.length ? `${parts.join("；")}。` : FACTS[fact.key];
    return template ? filled(template, fact.values) : sentences[i]!;
  });
}
export const factKeys = Object.keys(FACTS);

/** A feature of a state: its name is what is measured, and where. */
export function feature(name: string): string {
  const [what = "", ...where] = name.split(", ");
  return [t(`feature_${what.replaceAll(" ", "_")}`), ...where.map((w) => w.split(" - ").map(place).join(" – "))].join(lang.value === "zh" ? "，" : ", ");
}
const COMPASS = new Set(["north", "south", "east", "west", "centre", "other", "north west", "north east", "south west", "south east"]);
export const place = (name: string) => (COMPASS.has(name) ? t(`place_${name.replace(" ", "_")}`) : name);

/** A feature beside that of the state asked about: value, what it was then, and the unit. */
export function traitOf(x: Trait): { name: string; value: string; asked: string } {
  const digits = x.unit === "pu" ? 3 : 0;
  const text = (v: number) => (x.unit ? `${num(v, digits)} ${x.unit}` : x.name.includes("limits broken") ? num(v) : `${num(100 * v)} %`);
  return { name: feature(x.name), value: text(x.value), asked: text(x.asked) };
}

const REFUSALS: [RegExp, string][] = [
  [/^offline$/, "与服务器的连接中断"],
  [/^'(.+)' is not a catalogue name$/, "“$1”不是目录中的电网名称"], [/^files are read at the terminal$/, "文件只能在终端读取"],
  [/^is not a list in words$/, "不是用文字写成的故障集"], [/^use words such as (.+)$/, "请使用如 $1 的写法"],
  [/^'(.*)' is not a date$/, "“$1”不是日期"], [/^write YYYY-MM-DD$/, "请写成 YYYY-MM-DD"],
  [/^holds signs that a folder's name should not$/, "含有文件夹名称不允许的字符"], [/^use letters, digits, \. _ -$/, "请使用字母、数字和 . _ -"],
  [/^(\d+) studies are running already; wait for one or cancel it$/, "已有 $1 个计算在运行；请等待或取消其中一个"],
  [/^the study's process was ended by signal (\d+); finished steps are kept$/, "计算进程被信号 $1 终止；已完成的时段已保留"],
  [/^interrupted; nothing was (started|kept)$/, "已中断；未开始任何计算"],
  [/^interrupted; (\d+) finished steps are kept\. The same command continues behind them\.$/, "已中断；已保留 $1 个已完成时段，可继续计算"],
  [/^compiling kernels for this machine \(once\) \.\.\.$/, "正在为本机编译计算内核（仅一次）……"], [/^compiled in ([\d.]+) s$/, "编译用时 $1 秒"],
  [/^(\d+) is not a finished step of this run$/, "时段 $1 尚未完成"], [/^the run is not finished yet$/, "算例尚未完成"],
  [/^there is no outage (\S+) in this run$/, "该算例没有故障 $1"], [/^there is no table '(.+)' in this run$/, "该算例没有数据表“$1”"], [/^there is no (\S+) (\S+) with (?:planned|stored) values$/, "$1 $2 没有数值"],
  [/^there is no study '(.+)'$/, "没有计算“$1”"], [/^there is no run '(.+)'$/, "没有算例“$1”"], [/^there is no such page$/, "没有这个页面"], [/^there is no (.+)$/, "找不到 $1"], [/^cannot be read \((.*)\)$/s, "无法读取（$1）"], [/^is (\S+)$/, "是 $1"],
  [/^there is no such run folder$/, "没有这个算例文件夹"], [/^is not a run folder: it has no run.json$/, "不是算例文件夹：没有 run.json"],
  [/^a viewer starts no studies$/, "只读角色不能启动计算"], [/^open the operator's link$/, "请打开操作员链接"],
  [/^(\w+) is not allowed: a run is read-only$/, "不允许 $1：算例只读"], [/^holds (\d+) statements$/, "含有 $1 条语句"], [/^give exactly one$/, "只能有一条"],
  [/^the function (.+) is not allowed$/, "不允许使用函数 $1"], [/^'(.+)' is not a table$/, "“$1”不是数据表"], [/^a query cannot open files$/, "查询不能打开文件"],
  [/^took longer than ([\d.]+) s$/, "超过 $1 秒"], [/^is not one condition$/, "不是一个条件"], [/^tables are (.+)$/, "数据表有 $1"],
  [/^step (\d+) has no solution, so there is nothing to compare$/, "时段 $1 无解，无法比较"], [/^ask about another step$/, "请选择其他时段"],
  [/^(\d+) is not one of the (\d+) outages of this run$/, "$1 不在该算例的 $2 个故障之内"], [/^is no plan$/, "不是计划"], [/^outages of a run: \/outages$/, "算例的故障见 /outages"],
  [/^choose a step, or read the run's Parquet files$/, "请选择一个时段，或直接读取算例的 Parquet 文件"], [/^is not a column of this table$/, "不是该表的列"],
  [/^'(.*)' is not fuel=number$/, "“$1”不是“能源=数字”的形式"], [/^write (\w+=.+)$/, "请写成 $1"],
  [/^this server is not called (.+)$/, "本服务器没有名称 $1"], [/^(?:use|open) the link (?:that aurigrid serve printed|printed by aurigrid serve)$/, "请使用 aurigrid serve 打印的链接"],
  [/^the request comes from another site$/, "请求来自其他网站"], [/^no session$/, "未登录"], [/^the token is not the one of this start$/, "令牌不属于本次启动"],
  [/^the length of the body is not stated$/, "请求未声明内容长度"], [/^the request is larger than (\d+) bytes$/, "请求超过 $1 字节"], [/^the pages are only read$/, "页面只能读取"],
  [/^is no run folder and holds none$/, "不是算例文件夹，其中也没有算例"], [/^'(aurigrid day --out FOLDER)' writes (?:a run|one)$/, "“$1”可生成算例"],
  [/^use SELECT, WITH, DESCRIBE, SHOW or SUMMARIZE$/, "请使用 SELECT、WITH、DESCRIBE、SHOW 或 SUMMARIZE"], [/^use plain SELECT$/, "请使用普通的 SELECT"],
  [/^ask for fewer steps or tables$/, "请减少时段或数据表"], [/^cannot be checked \((.*)\)$/s, "无法检查（$1）"],
  [/^query the run's tables; SHOW TABLES lists them$/, "请查询算例的数据表；SHOW TABLES 可列出"], [/^give what may stand behind WHERE, such as (.+)$/, "请填写可放在 WHERE 之后的条件，如 $1"],
  [/^is not a table of a run$/, "不是算例的数据表"], [/^this version reads (.+); make the run anew or use the version that wrote it$/, "本版本只读 $1；请重新生成算例，或使用当初的版本"],
  [/^cannot be continued$/, "无法继续"], [/^name another folder or repeat the options of the first call$/, "请另选文件夹，或重复首次的选项"], [/^is not '(.+)'$/, "不是“$1”"],
  [/^the file was changed by hand$/, "文件被手工改动过"], [/^was made for another grid \((.+)\)$/, "属于另一个电网（$1）"], [/^was (.+), now (.+)$/, "原为 $1，现为 $2"],
  [/^could not write the (.+) folder (.+) \((.*)\)$/s, "无法写入 $1 文件夹 $2（$3）"],
  [/^could not write (chunk|step) (\S+) to (.+) \((.*)\); (\S+) finished (?:chunks|steps) are kept, and the same command continues behind them$/s, "无法将 $2 写入 $3（$4）；已保留完成的 $5 个，同一命令可继续计算"],
  [/^could not write (.+) to (.+) \((.*)\)$/s, "无法将 $1 写入 $2（$3）"], [/^could not close (.+) \((.*)\); every step is kept$/s, "无法完成 $1（$2）；所有时段均已保留"],
  [/^give every table of a (?:chunk|step)$/, "请给出全部数据表"], [/^exists and is not a run folder$/, "已存在且不是算例文件夹"], [/^name another folder; nothing was written$/, "请另选文件夹；未写入任何内容"],
  [/^search runs of one grid together$/, "只能在同一电网的算例中搜索"], [/^are missing$/, "缺失"], [/^give at least one run folder$/, "请至少给出一个算例文件夹"],
  [/^have no feature in common$/, "没有共同的特征"], [/^must be at least 1, is (.+)$/, "至少为 1，现为 $1"], [/^takes either a step or a vector$/, "只能给出时段或向量之一"], [/^give one of them$/, "请给出其中之一"],
  [/^feature_list names them and their units$/, "feature_list 列出特征及其单位"], [/^is not numbers \((.*)\)$/s, "不是数字（$1）"],
  [/^error: (.+)$/s, "错误：$1"],
  [/^no grid (?:of (\S+) )?is called '(.+?)'(?:, and no file or folder is there)?$/, "没有名为“$2”的电网"],
  [/^did you mean (.+)\?$/, "是否指 $1？"], [/^`aurigrid\.io\.catalogue\.names\(\)` lists all grids$/, "aurigrid.io.catalogue.names() 可列出全部电网"],
  [/^'(.+)' is not a SimBench code \((.*)\)$/s, "“$1”不是 SimBench 代码（$2）"],
  [/^(.+) comes without profiles, so it has no days$/, "$1 没有时间序列，因此没有可计算的日期"],
  [/^use a SimBench code, an RTS-GMLC folder or an Aurigrid folder with profiles, or give some with --profiles$/, "请使用 SimBench 代码、RTS-GMLC 文件夹或带时间序列的 Aurigrid 文件夹"],
  [/^no step on (\S+)$/, "$1 没有时段"], [/^profiles run from (\S+) to (\S+)$/, "时间序列从 $1 到 $2"], [/^profiles are empty$/, "时间序列为空"],
  [/^'(.+)' is neither a word nor an existing list file$/, "“$1”既不是故障集的写法，也不是已有的列表文件"], [/^words are (.+)$/, "可用的写法：$1"], [/^'(.+)' is not a word of a filter$/, "“$1”不是筛选词"],
  [/^the filter is empty$/, "筛选条件为空"], [/^e\.g\. (.+)$/, "例如 $1"], [/^'(.+)=' is not a condition$/, "“$1=”不是条件"], [/^conditions are (.+)$/, "可用的条件：$1"], [/^'(.+)' is not a number$/, "“$1”不是数字"],
  [/^no bus has this value$/, "没有母线具有该值"], [/^there are (.+)$/, "已有 $1"], [/^'n-2' without a subset is too many pairs$/, "不加子集的 n-2 组合过多"], [/^give one, (.+)$/, "请给出一个，如 $1"],
  [/^'?(.+?)'? is not a fuel and its factor$/, "“$1”不是“能源=倍数”的形式"], [/^is given twice$/, "重复给出"], [/^give one factor a fuel$/, "每种能源只给一个倍数"], [/^is not a fuel of this network$/, "不是该电网的能源"],
  [/^the network has (.+)$/, "该电网有 $1"], [/^has the factor (.+)$/, "倍数为 $1"], [/^give a finite number of 0 or more$/, "请给出不小于 0 的有限数"], [/^means the same fuel as (.+)$/, "与 $1 是同一种能源"],
  [/^give seconds$/, "请给出秒数"], [/^choose (.+)$/, "请选择 $1"], [/^make the run anew$/, "请重新生成算例"], [/^exists already$/, "已存在"], [/^name another path; nothing was written$/, "请另选路径；未写入任何内容"],
  [/^has no finished step (\d+)$/, "没有已完成的时段 $1"], [/^would hold ([\d,]+) rows, more than ([\d,]+)$/, "将有 $1 行，多于 $2 行"],
];
const refusal = (text: string) => {
  for (const [pattern, chinese] of REFUSALS) if (pattern.test(text)) return text.replace(pattern, chinese);
  return text;
};

/** What the server refuses, and why. */
export function issueText(issue: IssueInfo): string {
  if (lang.value !== "zh") return issue.message === "offline" ? t("offline") : said(issue);
  return said({ ...issue, message: refusal(issue.message), hint: refusal(issue.hint) });
}
/** A line that a study printed. */
export const lineText = (text: string) => (lang.value === "zh" ? text.split("\n").map(refusal).join("\n") : text);
