"""Every word once: states, transitions, table columns and figures, in English and Chinese."""

from __future__ import annotations

from typing import NamedTuple


class State(NamedTuple):
    """A stage of the consumer: column name, letter used in the transition table, Chinese term."""

    name: str
    letter: str
    zh: str


STATES = (
    State("unaware", "U", "未触达"),
    State("exposed", "E", "曝光"),
    State("interested", "I", "种草/兴趣"),
    State("searching", "S", "搜索比价"),
    State("consulting", "C", "咨询"),
    State("intent", "K", "领券/加购/预售定金"),
    State("ordered", "P", "下单支付(拔草)"),
    State("in_fulfilment", "F", "履约体验"),
    State("active", "B", "已购客户"),
    State("returning", "R", "退货/投诉"),
    State("member", "M", "会员"),
    State("private", "D", "私域用户"),
    State("repeat", "X", "复购老客/高价值"),
    State("advocate", "A", "裂变推荐者"),
    State("dormant", "Z", "沉睡"),
    State("lost", "L", "流失/退订"),
)
STATE_NAMES = tuple(state.name for state in STATES)
STATE_INDEX = {state.letter: k for k, state in enumerate(STATES)}


class Transition(NamedTuple):
    """One of the 39 moves between states: id, letters of the states, what triggers it."""

    id: str
    source: str
    target: str
    trigger: str
    zh: str


TRANSITIONS = (
    Transition("t01", "U", "E", "paid or organic impression", "曝光"),
    Transition("t02", "E", "I", "content persuades", "种草"),
    Transition("t03", "E", "S", "direct click", "挂载"),
    Transition("t04", "I", "S", "active search", "搜索"),
    Transition("t05", "I", "E", "forgetting", "遗忘"),
    Transition("t06", "S", "C", "asks the service desk", "咨询"),
    Transition("t07", "S", "K", "coupon, cart or deposit", "加购领券"),
    Transition("t08", "C", "K", "answered well", "咨询转化"),
    Transition("t09", "S", "E", "bounces", "断点"),
    Transition("t10", "K", "P", "pays", "拔草"),
    Transition("t11", "K", "S", "abandons, or meets no stock", "弃单/缺货"),
    Transition("t12", "S", "P", "impulse", "冲动下单"),
    Transition("t13", "P", "F", "allocated to a node", "履约"),
    Transition("t14", "F", "B", "delivered well", "签收"),
    Transition("t15", "F", "R", "late, wrong or regretted", "退货投诉"),
    Transition("t16", "R", "B", "service recovery", "化危为机"),
    Transition("t17", "R", "L", "gives up", "流失"),
    Transition("t18", "B", "M", "joins membership", "入会"),
    Transition("t19", "B", "D", "scans the parcel code", "入私域"),
    Transition("t20", "M", "D", "adds the group", "沉淀"),
    Transition("t21", "B", "X", "repurchase without contact", "复购"),
    Transition("t22", "M", "X", "repurchase with points", "复购"),
    Transition("t23", "D", "X", "repurchase with touch", "复购"),
    Transition("t24", "X", "A", "refers", "裂变"),
    Transition("t25", "D", "A", "shares a group deal", "裂变"),
    Transition("t26", "A", "U", "exposes a neighbour", "回公域代言"),
    Transition("t27", "B", "Z", "no order for long", "沉睡"),
    Transition("t28", "M", "Z", "no order for long", "沉睡"),
    Transition("t29", "X", "Z", "lapses", "沉睡"),
    Transition("t30", "D", "Z", "mutes or leaves the group", "社群流失"),
    Transition("t31", "Z", "X", "win-back", "唤醒"),
    Transition("t32", "Z", "L", "time out or opt-out", "流失"),
    Transition("t33", "L", "E", "re-acquired by paid reach", "重新获客"),
    Transition("t34", "A", "X", "stops advocating", "回落"),
    Transition("t35", "X", "S", "next purchase need", "再次需求"),
    Transition("t36", "B", "S", "next purchase need", "再次需求"),
    Transition("t37", "D", "K", "flash sale or new product", "秒杀"),
    Transition("t38", "M", "S", "member day", "会员日"),
    Transition("t39", "S", "I", "compares and leaves", "比价离开"),
)


class Column(NamedTuple):
    """One column of a table: name, unit, meaning, Chinese term."""

    name: str
    unit: str
    meaning: str
    zh: str


MONEY = "currency"
_COLUMNS = (
    Column("date", "date", "day", "日期"),
    Column("channel", "", "channel by its name in the scenario", "渠道"),
    Column("visits", "visit", "consumers with a visit that day; in flows, visits led on", "访问量"),
    Column("new_users", "user", "first visits in 60 days that register", "新增用户数"),
    Column("orders", "order", "orders filled", "转化订单数"),
    Column("gmv", MONEY, "paid after discounts, before returns", "GMV"),
    Column("aov", "currency/order", "gmv / orders", "客单价"),
    Column("cost", MONEY, "media + content + labour", "渠道成本"),
    Column("roi", "x", "gmv / cost; null without cost", "ROI"),
    Column("note", "", "campaigns of the day", "异常备注"),
    Column("new_customers", "customer", "first orders", "新客数"),
    Column("unique_visitors", "consumer", "visits that are the consumer's first on the channel in the 30-day block",
           "独立访客数"),
    Column("cost_per_new_user", "currency/user", "cost / new_users", "单个新增用户成本"),
    Column("cac", "currency/customer", "cost / new_customers", "获客成本"),
    Column("roi_profit", "x", "profit / cost; null without cost", "利润ROI"),
    Column("impressions", "impression", "exposures, bought or not", "曝光量"),
    Column("paid_impressions", "impression", "exposures bought", "付费曝光量"),
    Column("clicks", "visit", "visits straight from an exposure", "点击访问"),
    Column("searches", "visit", "visits by interest", "搜索访问"),
    Column("consultations", "visit", "visits that asked the service desk", "咨询量"),
    Column("repeat_orders", "order", "orders by live customers", "复购订单数"),
    Column("win_back_orders", "order", "orders by lapsed customers", "唤醒订单数"),
    Column("referred_orders", "order", "first orders by invitation", "裂变订单数"),
    Column("lines", "line", "order lines filled: one an article of an order", "销售行数"),
    Column("units", "unit", "units filled", "销售件数"),
    Column("lost_orders", "order", "orders that met no stock: nothing of them was filled", "缺货订单数"),
    Column("lost_units", "unit", "units that met no stock", "缺货件数"),
    Column("returned_lines", "line", "order lines sent back", "退货行数"),
    Column("joins", "seat", "seats taken in the community", "入群人数"),
    Column("leaves", "seat", "seats given up", "退群人数"),
    Column("budget", MONEY, "planned for media", "预算"),
    Column("returns", MONEY, "profit-and-loss line: refunds", "退款"),
    Column("cost_of_goods", MONEY, "profit-and-loss line: goods", "商品成本"),
    Column("commission", MONEY, "profit-and-loss line: platform and host", "佣金"),
    Column("payment_fee", MONEY, "profit-and-loss line: payment", "支付手续费"),
    Column("media", MONEY, "profit-and-loss line: media bought", "投放费用"),
    Column("content", MONEY, "profit-and-loss line: making content", "内容成本"),
    Column("labour", MONEY, "profit-and-loss line: staff of the channel", "人力成本"),
    Column("logistics", MONEY, "profit-and-loss line: delivery and stock keeping", "物流费用"),
    Column("service", MONEY, "profit-and-loss line: service, benefits, rewards", "服务费用"),
    Column("fixed", MONEY, "profit-and-loss line: fixed fees", "固定费用"),
    Column("profit", MONEY, "gmv plus the signed profit-and-loss lines", "利润"),
    Column("window", "", "baseline = last 90 days of warm-up, run = reported days", "时段"),
    Column("days", "day", "days of the window", "天数"),
    Column("monthly_uv", "consumer/month", "mean of distinct visitors over whole 30-day blocks, counted back",
           "月均UV"),
    Column("cvr", "order/visitor", "in channels (orders / days × 30) / monthly_uv; in journeys orders / consumers",
           "转化率"),
    *(Column(state.name, "people", f"people in stage {state.name} at midnight", state.zh)
      for state in STATES if state.name not in ("active", "lost")),
    Column("month", "", "calendar month YYYY-MM", "月份"),
    Column("id", "", "transition t01 … t39", "编号"),
    Column("count", "transition", "times it happened", "次数"),
    Column("from_stage", "", "stage before", "起点阶段"),
    Column("to_stage", "", "stage after", "终点阶段"),
    Column("trigger", "", "what moved the consumer", "触发"),
    Column("from_channel", "", "channel people come from", "来源渠道"),
    Column("to_channel", "", "channel they are led to", "去向渠道"),
    Column("share", "share", "in flows, of the visits led on by from_channel; in segments, of the consumers; in "
           "deliveries, of the orders of node and channel", "占比"),
    Column("path", "", "channels touched, joined by ' > ': the first and the last five", "路径"),
    Column("consumers", "people", "in journeys, journeys that ended; in segments, consumers", "人数"),
    Column("cohort", "", "calendar month of the first order YYYY-MM", "首单月份"),
    Column("age", "month", "calendar months since the first order", "月龄"),
    Column("buyers", "customer", "customers whose first order was in that month", "首单客户数"),
    Column("active", "customer", "in cohorts, buyers with an order in the month of that age; in stages, people there",
           "活跃客户"),
    Column("complete", "", "whether all days of that month were simulated", "是否整月"),
    Column("node", "", "warehouse", "仓库"),
    Column("sku", "", "article", "商品"),
    Column("on_hand", "unit", "stock at midnight", "在库"),
    Column("on_order", "unit", "ordered, not yet received, at midnight", "在途"),
    Column("demand", "unit", "units asked for", "需求"),
    Column("filled", "unit", "units given", "满足"),
    Column("lost", "unit", "in stock, units that met no stock; in stages, people in that stage", "流失/缺货"),
    Column("backordered", "unit", "units that wait", "欠货"),
    Column("received", "unit", "units received from the supplier", "到货"),
    Column("returned", "", "in stock, units back on the shelf; in orders, the day the line came back", "退货"),
    Column("ordered", "unit", "units ordered from suppliers", "采购"),
    Column("expedited", "unit", "of the units ordered, by express", "加急"),
    Column("sent", "unit", "units sent to other nodes", "调出"),
    Column("shipped_late", "unit", "units that had waited and were sent", "补发"),
    Column("given_up", "unit", "units that waited in vain", "弃等"),
    Column("waiting", "unit", "units that wait at midnight", "待发"),
    Column("oversold", "unit", "of the units lost, those sold and then cancelled", "超卖"),
    Column("switched", "unit", "of the units lost here, those bought on another channel", "转渠道"),
    Column("substituted", "unit", "of the units lost here, those bought as another article", "替代"),
    Column("picked_up", "unit", "of the units filled, those picked up in the store", "自提"),
    Column("added", "unit", "units bought in the store while picking up", "自提加购"),
    Column("expired", "unit", "units thrown away after their shelf life", "过期"),
    Column("days", "day", "days from the order to the consumer", "送达天数"),
    Column("hour", "hour", "hour of the day", "小时"),
    Column("cancelled", "order", "orders taken and then cancelled (oversold)", "取消订单数"),
    Column("order_id", "", "order number", "订单号"),
    Column("consumer", "", "consumer number", "消费者编号"),
    Column("minute", "minute", "minute of the day", "分钟"),
    Column("origin", "", "what led to the order", "来源"),
    Column("quantity", "unit", "units of the line", "数量"),
    Column("price", "currency/unit", "price of a unit", "单价"),
    Column("discount", MONEY, "discount of the line", "优惠"),
    Column("margin", MONEY, "margin of the line", "毛利"),
    Column("delivered", "date", "day the order reaches the consumer; null beyond the run", "送达日期"),
    Column("weight", "order", "orders that the line stands for", "权重"),
    Column("line", "", "number of the line in its order, from 1", "第几行"),
    Column("number", "order", "which order of the consumer it is: 1 the first; 255 and more as 255", "第几单"),
    Column("policy", "", "policy that decided", "策略"),
    Column("saw", "", "what the policy saw", "依据"),
    Column("changed", "", "what the policy changed", "调整"),
    Column("segment", "", "segment of consumers", "人群"),
    Column("target_share", "share", "share of the segment that the scenario asks for", "设定占比"),
    Column("kpi", "", "figure", "指标"),
    Column("value", "", "its value, in `unit`", "数值"),
    Column("unit", "", "unit of value, low and high", "单位"),
    Column("low", "", "lower end of the 95 % interval", "下限"),
    Column("high", "", "upper end of the 95 % interval", "上限"),
    Column("formula", "", "how it is computed", "公式"),
    Column("interval", "", "how the interval was found", "区间方法"),
)
COLUMNS = {column.name: column for column in _COLUMNS}
"""Every column of every table, once."""

KPI_ZH = {
    "gmv": "GMV", "orders": "订单数", "aov": "客单价", "visits": "访问量", "monthly_uv": "月均UV", "cvr": "转化率",
    "orders_per_visit": "单次访问下单率", "new_customers": "新客数", "new_users": "新增用户数", "cac": "获客成本",
    "cost_per_new_user": "单个新增用户成本", "roi": "ROI", "roi_profit": "利润ROI", "profit": "利润",
    "profit_margin": "利润率", "contribution_margin": "边际贡献率", "media": "投放费用", "cost": "渠道成本",
    "unspent_budget": "未花完的预算", "repeat_order_share": "复购订单占比", "repeat_rate_12m": "12个月复购率",
    "repeat_rate_30d": "30天复购率", "repeat_rate_90d": "90天复购率", "clv_36m": "36个月客户价值",
    "private_repeat_rate_90d": "私域90天复购率",
    "win_back_orders": "唤醒订单数", "referred_order_share": "裂变订单占比", "k_factor": "裂变系数K",
    "retention": "客户留存率", "dormant_share": "沉睡客户占比", "interest_share": "种草人群占比",
    "private_members": "私域人数", "private_share": "私域占客户比例", "return_rate": "退货率",
    "lines_per_order": "连带率(行/单)", "units_per_order": "客单件数",
    "fill_rate": "订货满足率", "stock_turns": "库存周转次数", "stock_cost": "库存总成本", "ltv_12m": "12个月客户价值",
    "seed_rate": "种草率(访问/曝光)",
    "convert_rate": "转化率(订单/访问)", "retain_rate": "沉淀率(入群/订单)", "path_rate": "全链路转化率(入群/曝光)",
}
"""Chinese names of the figures of ``Result.kpis``."""

STATUS_HEADERS = {
    "en": ("channel", "channel_en", "platform_coverage", "platform_coverage_en", "monthly_uv", "cvr", "aov_cny",
           "gmv_cny", "gmv_text", "main_problem", "main_problem_en", "score_1to5"),
    "zh": ("渠道名称", "渠道英文名", "覆盖平台", "覆盖平台(英)", "当前月均UV", "转化率", "客单价(元)", "GMV贡献(元)",
           "GMV贡献(原文)", "主要问题", "主要问题(英)", "评估得分(1-5分)"),
}
"""The brand's channel status table (T1)."""
MONITORING_HEADERS = {
    "en": ("date", "channel", "channel_en", "visits", "new_users", "orders", "gmv_cny", "aov_cny", "channel_cost_cny",
           "roi_gmv_over_cost", "anomaly_note", "anomaly_note_en"),
    "zh": ("日期", "渠道名称", "渠道英文名", "访问量", "新增用户数", "转化订单数", "GMV(元)", "客单价(元)",
           "渠道成本(元)", "ROI", "异常备注", "异常备注(英)"),
}
"""The brand's daily monitoring table (T3)."""

PHRASES = {
    "Where do we lose people on the way to an order?": "从曝光到下单，客户在哪里流失？",
    "Of 1,000 impressions {clicks:,.1f} are clicked; of 1,000 visits {orders:,.1f} end in an order":
        "每1,000次曝光有{clicks:,.1f}次点击；每1,000次访问有{orders:,.1f}个订单",
    "{share} of {what}": "占{what}的{share}",
    "length of bars: logarithmic": "条形长度按对数比例",
    "seed": "种草", "convert": "转化", "repurchase": "复购", "refer": "裂变",
    "Daily {what}: which channel brings how much?": "每日{what}：各渠道各带来多少？",
    "All channels: {mean} a day, best day {best}": "全渠道日均{mean}，最高日{best}",
    "Line: mean of {days} days": "粗线为{days}日均值",
    "Where does the market stand, and does it move towards us?": "市场人群处在哪个阶段，是否在向我们靠近？",
    "{now} of {people} people are active customers at the end, {then} at the start":
        "{people}人中，期末{now}是活跃客户，期初为{then}",
    "not reached": "未触达", "seeded": "已种草", "deciding": "决策中",
    "active customers": "活跃客户", "asleep": "沉睡流失",
    "Which channel leads people to which other?": "哪个渠道把人引向哪个渠道？",
    "Most go from {source} to {target}: {visits} visits, {orders} orders":
        "最多的是{source}到{target}：{visits}次访问，{orders}个订单",
    "No channel led anybody to another": "没有渠道之间的引流",
    "to": "去向", "from": "来源",
    "Do customers come back in the months after their first order?": "首单之后的几个月里，客户会回来吗？",
    "In the third month after, {share} of them order": "首单后第三个月，有{share}的客户下单",
    "months since the first order (cells: % of the customers who order in that month)":
        "首单后月数（格内为当月下单客户的百分比）",
    "month of the first order": "首单月份",
    "{name}: {days} days from {start}, seed {seed}": "{name}：{start}起{days}天，种子{seed}",
    "{name}: {days} days from {start}, seed {seed}, {count} replications (tables show the first)":
        "{name}：{start}起{days}天，种子{seed}，{count}次重复（表格为第一次）",
    "channel": "渠道", "role": "定位", "visitors a month": "月均UV", "orders": "订单数", "gmv": "GMV", "media": "投放",
    "profit": "利润", "seeding": "内容种草", "transaction": "交易转化", "user operation": "用户运营",
    "brand trust": "品牌信任", "test": "测试",
    "figure": "指标", "value": "数值", "95 % interval": "95 %区间",
    "Where should the money go?": "钱应该花在哪里？", "{gain} more than today's plan brings": "比当前方案多{gain}",
    "today": "当前", "plan": "方案", "budget of all periods": "全期预算",
    "What would the next yuan bring, and where?": "下一元花在哪里，能带来多少？",
    "Line: shadow price of the total budget, {price}": "竖线：总预算的影子价格{price}",
    "marginal return (dots: periods; hollow: nothing spent)": "边际回报（点为各期；空心为未投放）",
    "What would a larger or smaller budget bring?": "预算增减会带来什么？", "The dot is this plan": "圆点为本方案",
    "objective": "目标值", "How far is each channel from saturation?": "各渠道离饱和还有多远？",
    "Dot: the plan's mean spend of a period; ring: today's": "实心点：方案的每期平均投放；空心圈：当前",
    "Which policy brings more {what}?": "哪种策略带来更多{what}？",
    "None is surely ahead of {base}": "没有策略确定领先于{base}",
    "Surely ahead of {base}: {names}": "确定领先于{base}：{names}",
    "difference to {base} ({level}); lines: 95 % for all at once, {n} replications":
        "与{base}（{level}）之差；横线为同时成立的95%区间，{n}次重复",
    "When does each policy pull ahead, or fall behind?": "各策略何时领先，何时落后？",
    "At the end {name} is ahead by {value}": "期末{name}领先{value}",
    "At the end none is surely ahead; the best is {name}, {value}": "期末没有策略确定领先；最好的是{name}，{value}",
    "profit ahead of {base}, mean and 95 %": "相对{base}的累计利润（均值及95 %区间）",
    "spend of a period": "每期投放", "response of a period": "每期响应",
    "What does each channel's money bring?": "各渠道的钱带来多少？",
    "Points: simulated, with 95 % intervals; dot: the plan's mean spend; ring: today's":
        "短横为模拟值及95 %区间；实心点：方案的日均投放；空心圈：当前",
    "spend a day": "每日投放",
    "effect on the objective over all days, before the money is paid": "全期对目标的影响（未扣投放）",
    "In which channel does each channel's money come back?": "各渠道的钱在哪个渠道收回？",
    "Share of the extra GMV, by the channel that takes the orders": "按成交渠道拆分的增量GMV占比",
    "Which combination brings how much? ({what})": "哪种组合带来多少？（{what}）",
    "Most: {value}, with {x} and {y}": "最高{value}：{x}，{y}",
    "How does {what} answer to both?": "{what}如何随两者变化？",
    "Quadratic surface, R² {share}; most at {x} and {y}": "二次响应面，R² {share}；最高点：{x}，{y}",
    "Which setting decides {what}?": "哪项设置决定{what}？",
    "{path} explains {first} of the variance by itself, {total} with its interplay":
        "{path}单独解释{first}的方差，含交互作用{total}",
    "by itself": "单独", "with its interplay": "含交互作用",
    "share of the variance over the points": "各点间方差的占比",
    "Which setting moves {what} most?": "哪项设置对{what}影响最大？",
    "{path} moves it by {size} over its range": "{path}在其范围内使之变化{size}",
    "mean size of the effect (μ*)": "平均影响幅度（μ*）", "how uneven it is (σ)": "影响的不均匀程度（σ）",
    "When do goods arrive?": "货什么时候到？", "{lost} of {demand} units are lost": "{demand}件需求中缺货{lost}件",
    "arriving": "到货", "demand": "需求", "stock": "库存", "period": "期", "Which limits bind?": "哪些限制在起作用？",
    "{full} of {all} limits and periods are used up": "{all}个限制与期中用满{full}个",
    "cost {cost} {currency} ({parts}), {echelons}": "成本{cost} {currency}（{parts}），{echelons}",
    "orders: {shown} of {all} rows": "订货：共{all}行，显示{shown}行", "sku": "SKU", "node": "节点", "order": "订货",
    "transfer": "调拨",
    "holding": "持有", "lost sales": "缺货", "safety": "安全库存不足", "leftover": "期末剩余", "transfers": "调拨",
    "ordering": "订货", "one echelon": "单级", "two echelons": "两级", ", ": "，",
    "no plan within the limits costs less than {bound}: gap {gap}": "限制之内任何方案的成本都不低于{bound}：差距{gap}",
    "{served} of demand served, {orders} orders": "满足{served}的需求，共{orders}次订货",
    "mean cost of {which}: {cost} {currency}; the plan is that for demand at {planned}":
        "{which}的平均成本：{cost} {currency}；方案按需求{planned}制定",
    "all outlooks": "全部情景", "the worst {share} of outlooks": "最差{share}情景",
    "somebody who knew what comes would pay {bound} at least: gap {gap}":
        "即使预知未来，至少也要付{bound}：差距{gap}",
    "volume": "单位体积", "currency": "单位货币", "shadow prices": "影子价格", "limit": "限制", "price": "价格",
    "unit": "单位", "meaning": "含义",
    "one more {unit} of {limit} saves {price} {currency}, orders mixed":
        "{limit}每增加一个{unit}，可省{price} {currency}（允许订单为分数）",
    "one more {unit} of {limit} in each period saves {price} {currency}, orders mixed":
        "{limit}每期各增加一个{unit}，可省{price} {currency}（允许订单为分数）",
    "one more lost unit allowed saves {price} {currency}, orders mixed":
        "允许多缺货一件，可省{price} {currency}（允许订单为分数）",
}
"""What plots and summaries say, English → Chinese."""
