"""Words of cities and their data that mean the same or nearly, in Japanese, kana and English. Pure data.

One line is one meaning; its terms are parted by commas. A term of several words is looked for as such.
"""

_TABLE = """
避難所, 避難場所, 避難施設, ひなんじょ, evacuation site, evacuation shelter, shelter, evacuation center, evacuation
避難, evacuation
防災, 災害, 災害対策, ぼうさい, disaster, disaster prevention, disaster preparedness, hazard
ハザードマップ, 浸水想定, 被害想定, hazard map, flood map
地震, 震災, 耐震, earthquake, seismic
洪水, 浸水, 水害, 氾濫, 土のう, flood, flooding
土砂災害, 土石流, がけ崩れ, landslide
津波, tsunami
噴火, 火山, volcano, eruption, volcanic
消防, 火災, 消防署, しょうぼう, fire, fire department, firefighting
消火器, fire extinguisher
消火栓, 消防水利, 防火水槽, hydrant, fire hydrant
救急, 救急医療, 救命, きゅうきゅう, emergency, ambulance, emergency medical
AED, 自動体外式除細動器, defibrillator
帰宅困難者, stranded commuters, stranded people
人口, 住民, じんこう, population, inhabitants, residents
世帯, 家庭, household, households
年齢別人口, 年齢別, population by age
国勢調査, こくせいちょうさ, census, national census
住民基本台帳, resident register, resident registry
外国人, 在留外国人, foreigner, foreigners, foreign residents, foreign
高齢者, 老人, お年寄り, シニア, こうれいしゃ, elderly, seniors, aged, older people
老人ホーム, 有料老人ホーム, nursing home, care home, retirement home
老人福祉センター, 高齢者施設, senior center
介護, デイサービス, かいご, nursing care, long term care, care
障害者, 障がい者, 身体障害者, しょうがいしゃ, disabled, disability, people with disabilities, handicapped
バリアフリー, accessibility, barrier free, accessible
子ども, 子供, こども, 児童, 幼児, 乳幼児, child, children, kids
子育て, 育児, child rearing, childcare, parenting
保育園, 保育所, 保育施設, 保育, ほいくえん, nursery, nursery school, daycare, day care, childcare
幼稚園, こども園, ようちえん, kindergarten, preschool
学童保育, 学童クラブ, 放課後, after school, after school care
待機児童, waiting children, waiting list
学校, 小学校, 中学校, 高等学校, がっこう, school, schools
小学校, しょうがっこう, 児童, elementary school, primary school
中学校, junior high school, middle school
高等学校, 高校, high school
大学, university, college
教育, 学習, education
図書館, ライブラリー, 読書, としょかん, library, libraries
博物館, 美術館, museum, museums, gallery
文化財, 史跡, 遺跡, cultural property, cultural properties, heritage
スポーツ施設, 運動施設, 体育館, 運動場, sports facility, sports facilities, gymnasium
スポーツ, 運動, sports, exercise
公園, 緑地, 児童遊園, こうえん, park, parks
緑, 緑化, 樹木, 街路樹, green, greenery, trees
病院, 医療機関, 診療所, クリニック, びょういん, hospital, hospitals, clinic, medical institution, medical institutions
医療, 保健, medical, health care, healthcare
健康, health
予防接種, ワクチン, よぼうせっしゅ, vaccination, vaccine, immunization
感染症, ウイルス, ノロウイルス, infectious disease, infection, virus
結核, tuberculosis
がん, ガン, 癌, cancer
アレルギー, allergy
薬局, pharmacy, drugstore
福祉, 社会福祉, welfare
生活保護, 公的扶助, public assistance, livelihood protection, welfare benefits
社会保障, 年金, social security, pension
虐待, abuse
ごみ, ゴミ, 廃棄物, 清掃, 塵芥, garbage, waste, trash, rubbish
ごみ収集, ごみの収集, 収集曜日, garbage collection, waste collection
資源回収, リサイクル, 資源, recycling
食品ロス, food loss, food waste
食品, 食品衛生, 食品表示, food, food safety
環境, かんきょう, environment, environmental
大気汚染, 大気, 大気質, air pollution, air quality
水質, 地下水, water quality, groundwater
地下水, groundwater
土壌, soil
騒音, noise
ダイオキシン, dioxin, dioxins
放射能, 放射性物質, 放射線, radiation, radioactive, radioactivity
温室効果ガス, 二酸化炭素, CO2, greenhouse gas, carbon dioxide
気温, 温度, きおん, temperature
気象, 天気, 天候, 降水量, weather, climate
降雪, 積雪, 除雪, snow, snowfall
水道, 上水道, 給水, 配水, すいどう, water supply, waterworks, tap water
下水道, 下水, げすいどう, sewer, sewerage, sewage
河川, 川, 河川敷, river, rivers
橋, 橋梁, 大橋, bridge, bridges
港湾, 港, harbour, harbor, port
カメラ, ライブカメラ, 監視カメラ, camera, live camera
道路, 道路工事, どうろ, road, roads, street
道路工事, 工事, road works, roadworks, construction work
トンネル, tunnel, tunnels
街路灯, 街灯, 防犯灯, street light, street lights, streetlight
交通, こうつう, transport, transportation, traffic
交通事故, 人身事故, traffic accident, traffic accidents, road accident
事故, accident, accidents
渋滞, 交通渋滞, 混雑, congestion, traffic jam
バス, バス停, 停留所, コミュニティバス, bus, bus stop, bus stops
時刻表, ダイヤ, timetable, schedule
鉄道, 電車, 駅, railway, train, station
駐車場, ちゅうしゃじょう, parking, parking lot, car park
駐輪場, 自転車駐車場, 自転車等駐車場, 駐輪, ちゅうりんじょう, bicycle parking, bike parking
自転車, サイクル, 放置自転車, じてんしゃ, bicycle, bicycles, bike, cycling
人流, 歩行者, 通行量, people flow, pedestrian, pedestrians, footfall
観光, 観光客, 観光地, かんこう, tourism, tourist, tourists, visitors, sightseeing
宿泊, 旅館, ホテル, 旅館業, hotel, hotels, accommodation, lodging
イベント, 催し, 行事, 祭り, event, events, festival
花火, fireworks
写真, 画像, photo, photos, photograph, picture, pictures, image
彫刻, 像, モニュメント, sculpture, statue, monument
動物園, zoo
植物園, botanical garden
トイレ, 便所, 公衆便所, 公衆トイレ, 公共トイレ, toilet, toilets, restroom, public toilet
公衆無線LAN, Wi-Fi, wifi, 無線LAN, public wireless lan, wireless
電話, 公衆電話, telephone, phone
郵便局, post office, post offices
公共施設, 官公署, こうきょうしせつ, public facility, public facilities, government facility
施設, facility, facilities
庁舎, 区役所, 市役所, 役所, city hall, ward office, town hall, government office
選挙, 投票, せんきょ, election, elections, vote, voting
投票所, polling station, polling place, polling stations
議会, assembly, council
世論調査, 意識調査, アンケート, opinion poll, opinion survey, survey
調査, 統計, survey
統計, 統計書, 統計年鑑, とうけい, statistics, statistical
予算, よさん, budget
決算, 歳入, 歳出, settlement of accounts, financial results, accounts
財政, 財務, 公債, ざいせい, public finance, finance, financial
都債, 市債, 公債, bonds, municipal bonds
税, 税金, 市税, 都税, 住民税, 納税, ぜいきん, tax, taxes, taxation
ふるさと納税, hometown tax, furusato nozei
監査, audit, audits
職員, 公務員, staff, officials, civil servants, employees, public employees
給与, 給料, 賃金, きゅうよ, salary, salaries, wages, pay
労働, 雇用, 就労, 就業, 働く, employment, labour, labor, jobs, work
事業所, 企業, 会社, 法人, じぎょうしょ, business, businesses, company, companies, establishment, enterprise
商業, 小売, 店舗, 商店, commerce, retail, shop, shops, stores
市場, 卸売市場, しじょう, wholesale market, market
農業, 農地, 農林, のうぎょう, agriculture, farming, farmland
生産緑地, productive green land
水産, 漁業, 魚, fisheries, fishery, fish
工業, 製造業, manufacturing, industry
経済, 景気, 経済成長, economy, economic
物価, 家計, 消費者物価, prices, consumer prices, household economy
消費, 消費者, 消費生活, 消費生活相談, consumer, consumption, consumer affairs, consumer complaints
宝くじ, lottery
住宅, 住まい, 家屋, 空き家, じゅうたく, housing, house, houses, dwelling
建築, 建物, 建築物, building, buildings, architecture
都市計画, 再開発, まちづくり, 地区計画, としけいかく, urban planning, city planning, redevelopment, urban redevelopment
土地, 地価, 地価公示, land, land price, land prices
地質, ボーリング, geology, geological, boring, borehole
地図, マップ, ちず, map, maps
犯罪, 防犯, 治安, 窃盗, ひったくり, 万引き, ストーカー, はんざい, crime, crimes, public safety
窃盗, 空き巣, 侵入窃盗, ひったくり, 万引き, theft, burglary, robbery, shoplifting, stealing
ストーカー, stalker, stalking
警察, 警察署, 交番, けいさつ, police, police station
交通違反, 駐車違反, traffic violation, traffic violations, traffic offence
国際, 国際交流, international
男女平等, 男女共同参画, ジェンダー, gender equality, gender
婚姻, 夫婦, 結婚, marriage, married couples, couples
出生, 死亡, 人口動態, births, deaths, vital statistics
町会, 自治会, 町内会, 町会自治会, ちょうかい, neighbourhood association, neighborhood association, residents association
広報, 公報, public relations, newsletter
オリンピック, パラリンピック, 五輪, olympic, olympics, paralympic
計画, プラン, 方針, plan, plans, policy
報告, 報告書, report, reports
結果, result, results
発生, 件数, occurrence, incidents
相談, 窓口, consultation, counseling, contact
手当, 給付, 助成, 補助金, 支援金, 見舞金, allowance, subsidy, subsidies, benefits
手数料, 使用料, 料金, fee, fees, charge
美容所, 理容所, 美容院, 床屋, beauty salon, hairdresser, barber
飲食店, レストラン, restaurant, restaurants
高圧ガス, high pressure gas
電子申請, オンライン申請, online application, electronic application
情報化, デジタル, DX, ICT, digital, digitalization
区市町村, 自治体, 市町村, municipality, municipalities, local government
東京, 東京都, とうきょう, tokyo
大阪, 大阪府, osaka
京都, 京都府, kyoto
札幌, sapporo
高松, takamatsu
福井, fukui
横浜, yokohama
名古屋, nagoya
福岡, fukuoka
仙台, sendai
広島, hiroshima
新宿, shinjuku
渋谷, shibuya
港区, minato
中央区, chuo
品川, shinagawa
台東, taito
文京, bunkyo
江東, koto
墨田, sumida
目黒, meguro
大田区, ota
中野, nakano
杉並, suginami
豊島, toshima
板橋, itabashi
練馬, nerima
江戸川, edogawa
八王子, hachioji
三鷹, mitaka
町田, machida
調布, chofu
小金井, koganei
昭島, akishima
清瀬, kiyose
稲城, inagi
西東京, nishitokyo
年, 年次, yearly, annual
月, 月次, 毎月, monthly
毎日, 日次, daily
毎時, 時間別, hourly
"""
GROUPS = tuple(tuple(term.strip() for term in line.split(",")) for line in _TABLE.strip().splitlines())
